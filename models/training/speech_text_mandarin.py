"""What the Chinese teacher reads: sentences made from a grammar, and every common character."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.training.skills import chinese
from models.training.speech_text import balanced

WORDS: dict[str, str] = {
    "person": "老师 孩子 医生 司机 农夫 国王 王后 朋友 奶奶 爷爷 妈妈 爸爸 姐姐 弟弟 "
    "学生 船长 画家 "
    "渔夫 面包师 邻居 小女孩 小男孩 老人 客人",
    "animal": "狗 猫 马 牛 羊 猪 兔子 狐狸 狼 熊 狮子 老虎 大象 长颈鹿 猴子 老鼠 青蛙 "
    "鸭子 鹅 猫头鹰 "
    "老鹰 企鹅 鲸鱼 海豚 鲨鱼 蜜蜂 蚂蚁 蜘蛛 乌龟 蝴蝶 骆驼 鸡 蛇 龙 鸟 鱼",
    "thing": "书 桌子 椅子 灯 窗户 门 钟 电话 杯子 瓶子 钥匙 信 照片 篮子 箱子 书包 帽子 "
    "大衣 鞋 戒指 "
    "铃铛 石头 绳子 轮子 船 桥 梯子 蜡烛 镜子 刀 勺子 铅笔 纸 球 风筝 鼓 地图 硬币 碗 桶 毯子 枕头",
    "food": "面包 奶酪 苹果 橙子 香蕉 柠檬 樱桃 米饭 汤 蛋糕 黄油 蜂蜜 糖 牛奶 水 咖啡 "
    "茶 果汁 巧克力 "
    "土豆 西红柿 洋葱 胡萝卜 鸡蛋 鱼 盐 燕麦奶 豆浆 面条 饺子",
    "place": "房子 厨房 花园 森林 河边 山上 村子 城市 街上 学校 市场 车站 港口 岛上 海边 "
    "山谷 城堡 图书馆 "
    "医院 田野 塔楼 面包店 博物馆",
    "country": "法国 德国 意大利 西班牙 葡萄牙 挪威 瑞典 芬兰 丹麦 波兰 希腊 土耳其 埃及 "
    "肯尼亚 中国 日本 "
    "印度 泰国 越南 澳大利亚 加拿大 墨西哥 巴西 阿根廷 智利 秘鲁 古巴 爱尔兰 奥地利 "
    "匈牙利 瑞士 比利时 "
    "摩洛哥 俄罗斯 英国 美国 韩国 荷兰 冰岛 乌克兰 新西兰 南非 伊朗 伊拉克",
    "city": "巴黎 柏林 罗马 马德里 里斯本 奥斯陆 斯德哥尔摩 赫尔辛基 哥本哈根 华沙 雅典 "
    "安卡拉 开罗 内罗毕 "
    "北京 东京 新德里 曼谷 河内 堪培拉 渥太华 墨西哥城 巴西利亚 布宜诺斯艾利斯 圣地亚哥 "
    "利马 哈瓦那 "
    "都柏林 维也纳 布达佩斯 伯尔尼 布鲁塞尔 阿姆斯特丹 布拉格 莫斯科 伦敦 华盛顿 首尔 "
    "惠灵顿 德黑兰",
    "continent": "亚洲 欧洲 非洲 北美洲 南美洲 大洋洲 南极洲",
    "colour": "红色 蓝色 绿色 黄色 白色 黑色 棕色 灰色 橙色 紫色 粉色 金色 银色",
    "quality": "大 小 老 年轻 新 长 短 高 低 温暖 冷 热 黑暗 明亮 安静 吵闹 快乐 伤心 慢 "
    "快 强壮 弱 善良 "
    "聪明 勇敢 懒 饿 累 空 满 重 轻 湿 干净 软 硬 甜 酸 富有 贫穷 宽 窄 深 安全 温柔 "
    "奇怪 忙 多 少 早 晚",
    "adverb": "慢慢地 快快地 静静地 常常 总是 从来不 今天 明天 又 一起 小心地 很快 "
    "有时候 终于 忽然",
    "past": "找到了 看见了 拿走了 听见了 打开了 关上了 买了 卖了 看着 跟着 帮助了 喜欢 "
    "修好了 弄坏了 洗了 "
    "搬走了 推开了 想要 忘记了 给了 带来了 留下了 数了数",
    "unit": "秒 分钟 小时 天 星期 个月 年 米 公里 厘米 英里 英尺 克 公斤 磅 升 度",
    "day": "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
    "science": "光 声音 热 能量 重力 电 空气 冰 水蒸气 雨 风 雪 盐 铁 金子 玻璃 木头 "
    "植物 叶子 根 种子 "
    "血 骨头 肌肉 云 星星 行星 太阳 月亮 地球 大海 氧气 压力 火山 地震 磁铁 彩虹 闪电",
    "size": "小杯 中杯 大杯",
    "drink": "拿铁 美式咖啡 卡布奇诺 浓缩咖啡 摩卡 热巧克力 红茶 绿茶",
}

PATTERNS: tuple[str, ...] = (
    "{quality}的{person}在{place}{past}{thing}。",
    "{person}{adverb}{past}一个{quality}的{thing}。",
    "{country}的首都是{city}。", "{country}在{continent}。", "{city}是{country}的首都，对吗？",
    "{number}加{number}等于{number}。", "{number}减{number}等于{number}。",
    "{number}乘以{number}等于{number}。",
    "{number}{unit}有{number}{unit}。", "{quality}的反义词是{quality}。",
    "一杯{size}{drink}，加{food}和{food}，对吗？", "好的，{size}{drink}，{number}份浓缩，不加糖。",
    "我可以跟您聊聊{science}、{animal}和{food}。", "{science}遇到{science}，就会变得很{quality}。",
    "因为{thing}很{quality}，所以{person}{adverb}{past}它。",
    "从前有一只{quality}的{animal}，和{number}只{animal}一起住在{place}。",
    "每个{day}，{person}都要去{place}。", "你知道{animal}为什么这么{quality}吗？",
    "{animal}对{person}说了什么？", "对不起，我不知道这个{thing}在哪里。",
    "{day}的后面是{day}，{month}的前面是{month}。", "图片里有{number}个{colour}的{thing}。",
    "当然可以！{thing}现在很{quality}。", "不，那不是{thing}，那是{thing}。",
    "谁拿了我的{thing}？有几只{animal}？", "请等一下，我在找{country}的{thing}。",
    "{animal}有{number}条腿。", "{colour}和{colour}混在一起是{colour}。",
    "{food}是{colour}的，{thing}是{colour}的。", "现在是{hour}点{minute}分。",
    "我设好了{number}{unit}的计时器。", "灯已经打开了，灯光是{colour}。",
    "于是{animal}{adverb}回家了，大家都很{quality}。",
    "他们{past}{thing}，她也{past}{thing}，我们都笑了。",
    "很高兴能帮到您，再见！", "您还想知道什么呢？", "我听不懂，请再说一遍，好吗？",
    "这就像{food}一样{quality}，可是{person}不相信。", "我是一个小小的语音助手，我叫{name}。",
)  # fmt: skip

_SLOT = re.compile(r"{(\w+)}")


def grammar_sentences(count: int, seed: int) -> list[str]:
    """`count` distinct sentences of the grammar and of the skills."""
    choose = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        kind = choose.random()
        found.setdefault(
            chinese.sentence(choose)
            if kind < 0.1
            else _SLOT.sub(lambda match: _filled(match, choose), choose.choice(PATTERNS))
        )
    return list(found)


def _filled(match: re.Match[str], choose: random.Random) -> str:
    slot = match.group(1)
    if slot in WORDS:
        return choose.choice(WORDS[slot].split())
    if slot == "name":
        return "".join(choose.sample(common_characters(), 2))
    if slot == "month":
        return f"{chinese.number(choose.randint(1, 12))}月"
    most = {"hour": 12, "minute": 59}.get(slot, 99)
    return chinese.number(choose.randint(1, most))


def common_characters() -> list[str]:
    """The 3,755 of the first level of GB 2312."""
    codes = (bytes((row, column)) for row in range(0xB0, 0xD8) for column in range(0xA1, 0xFF))
    found = (code.decode("gb2312", "ignore") for code in codes)
    return [character for character in found if character]


def character_lists(seed: int) -> list[str]:
    """Every common character once, in lists of a few words of one to three: each syllable in
    company that it does not usually keep."""
    choose = random.Random(seed)
    characters = common_characters()
    choose.shuffle(characters)
    lists, start = list[str](), 0
    while start < len(characters):
        words = []
        for _ in range(choose.randint(2, 4)):
            size = choose.randint(1, 3)
            words.append("".join(characters[start : start + size]))
            start += size
        lists.append("，".join(word for word in words if word) + "。")
    return lists


@dataclass(frozen=True, slots=True)
class MandarinPlan:
    """How much is read aloud, beside the character lists. Held-out texts are never trained on."""

    answers: int = 700
    grammar: int = 900
    held_out_answers: int = 40
    held_out_grammar: int = 20
    seed: int = 1


def planned_mandarin(answers: Sequence[str], plan: MandarinPlan) -> tuple[list[str], list[str]]:
    """(training, held-out) texts, without one in common."""
    train = balanced(answers, plan.answers, plan.seed)
    held_out = balanced(sorted(set(answers) - set(train)), plan.held_out_answers, plan.seed)
    said = set(answers)
    made = grammar_sentences(plan.grammar + plan.held_out_grammar, plan.seed)
    grammar = [text for text in made if text not in said]
    held_out += grammar[: plan.held_out_grammar]
    train += grammar[plan.held_out_grammar :] + character_lists(plan.seed)
    random.Random(plan.seed).shuffle(train)
    return train, held_out
