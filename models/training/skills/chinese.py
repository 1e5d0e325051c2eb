"""Chinese sentences for the tokenizer, so that its vocabulary serves both languages."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import pick

_CAPITALS = (
    "法国 巴黎,德国 柏林,意大利 罗马,西班牙 马德里,英国 伦敦,俄罗斯 莫斯科,"
    "日本 东京,中国 北京,印度 新德里,泰国 曼谷,越南 河内,埃及 开罗,"
    "加拿大 渥太华,美国 华盛顿,巴西 巴西利亚,澳大利亚 堪培拉,希腊 雅典,"
    "瑞典 斯德哥尔摩,挪威 奥斯陆,芬兰 赫尔辛基,波兰 华沙,葡萄牙 里斯本,"
    "荷兰 阿姆斯特丹,韩国 首尔"
)
_DIGITS = "零一二三四五六七八九十"
_ANIMALS = "狗猫牛马羊猪鸡鸭鱼鸟虎龙蛇兔猴"
_COLOURS = ("草 绿色", "雪 白色", "天空 蓝色", "柠檬 黄色", "西红柿 红色", "煤 黑色", "巧克力 棕色")
_SAYINGS = (
    "你好，有什么可以帮您？",
    "我是一个小小的语音助手。",
    "不客气。",
    "再见，祝您愉快。",
    "对不起，我不能回答这个问题。",
    "今天星期一，明天星期二。",
    "一小杯拿铁，加一点牛奶和糖。",
    "一大杯美式咖啡，双份浓缩，不加糖。",
    "请再说一遍。",
    "好的，我说慢一点。",
    "从前有一只小狐狸，住在森林的边上。",
    "大的反义词是小。",
    "一年有十二个月。",
)


def number(value: int) -> str:
    """A whole number from 0 to 99 in Chinese characters."""
    if value <= 10:
        return _DIGITS[value]
    tens, rest = divmod(value, 10)
    head = "" if tens == 1 else _DIGITS[tens]
    return f"{head}十{_DIGITS[rest] if rest else ''}"


def sentence(random: Random) -> str:
    """One question or answer of the kinds that the skills have in English."""
    country, city = pick(random, _CAPITALS.split(",")).split()
    thing, colour = pick(random, _COLOURS).split()
    a, b = random.randrange(50), random.randrange(50)
    return pick(
        random,
        (
            f"{country}的首都是{city}。", f"{country}的首都是哪里？", f"{thing}是{colour}的。",
            f"{number(a)}加{number(b)}等于{number(a + b)}。", f"{number(a)}加{number(b)}等于多少？",
            f"{pick(random, _ANIMALS)}有几条腿？", pick(random, _SAYINGS),
        ),
    )  # fmt: skip
