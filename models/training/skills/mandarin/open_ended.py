"""Chinese questions about anything: meant for nano, which says that it cannot answer them."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Exchange, pick
from models.training.skills.mandarin.talk import CANNOT

_DEEDS = (
    "学做红烧肉", "去火车站", "办护照", "修自行车", "学好英语", "减肥", "种西红柿", "洗羊毛衣服",
    "写一封信", "养一只猫", "换灯泡", "省钱", "准备考试", "做西红柿炒鸡蛋", "睡得更好", "学游泳",
    "找工作", "买便宜的机票", "退货", "改密码", "写简历", "拍好照片", "弹钢琴", "认识新朋友",
)  # fmt: skip
_THINGS = (
    "黑洞", "股票", "人工智能", "光合作用", "长城", "地震", "相对论", "太阳能", "互联网", "京剧",
    "唐朝", "疫苗", "龙卷风", "书法", "中秋节", "电", "台风", "恐龙", "量子力学", "茶道",
)  # fmt: skip
_KINDS = (
    "好看的电影", "好吃的饭馆", "适合老人的运动", "旅游的地方", "儿童读的书", "早饭", "好听的歌",
    "送朋友的礼物", "周末的活动", "简单的菜", "学英语的软件", "小狗的名字",
)  # fmt: skip
_PEOPLE = ("李白", "爱因斯坦", "孔子", "鲁迅", "牛顿", "秦始皇", "贝多芬", "居里夫人", "达芬奇")
_WHY = (
    "海水是咸的", "人会做梦", "树叶会变黄", "猫怕水", "面包会发起来", "月亮会发光", "冬天会下雪",
    "我的网很慢", "飞机能飞", "人要睡觉", "鸟会唱歌", "切洋葱会流泪",
)  # fmt: skip
_WISHES = (
    "我想订一张去上海的票", "我想查一下我的订单", "我要改一下地址", "我想退这件衣服",
    "我想问一下营业时间", "我的手机坏了怎么办", "帮我写一首关于春天的诗", "帮我想一个名字",
    "我想预约下周五的时间", "给我一点建议", "帮我翻译这句话", "我想学一点法语", "我的卡丢了",
    "我明天要面试你有什么建议", "我头疼应该吃什么药", "现在去机场要多久", "附近有医院吗",
)  # fmt: skip
_FRAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("怎么{x}|我想{x}应该怎么办|{x}需要什么|你能教我怎么{x}吗|{x}有什么好办法|怎样才能{x}|"
     "你能帮我{x}吗|{x}要多长时间", _DEEDS),
    ("什么是{x}|给我讲讲{x}|{x}是怎么来的|你能解释一下{x}吗|{x}有什么用|你知道{x}吗|"
     "介绍一下{x}", _THINGS),
    ("有什么{x}|推荐一些{x}|你知道哪些{x}|帮我找{x}|我想要{x}有什么推荐", _KINDS),
    ("{x}是谁|{x}是哪里人|{x}做过什么|给我介绍一下{x}|{x}是什么时候出生的", _PEOPLE),
    ("为什么{x}|你知道为什么{x}吗", _WHY),
    ("{x}|你好{x}|请问{x}", _WISHES),
)  # fmt: skip
_WEIGHTS = (8, 6, 4, 3, 4, 6)


def open_ended(random: Random, held_out: bool = False) -> Exchange:
    """One question about anything."""
    ways, fillers = random.choices(_FRAMES, _WEIGHTS)[0]
    question = pick(random, ways.split("|")).format(x=pick(random, fillers))
    return Exchange(question, CANNOT, "open ended")
