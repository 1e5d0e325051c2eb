"""Chinese: animals, colours, opposites and the calendar."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Exchange, Phrasings, pick
from models.training.skills.mandarin.numbers import number

ANIMALS = {  # animal: its cry, its home, its legs
    "狗": ("汪汪", "家里", 4), "猫": ("喵喵", "家里", 4), "牛": ("哞哞", "牛棚里", 4),
    "羊": ("咩咩", "草地上", 4), "鸭子": ("嘎嘎", "水边", 2), "老虎": ("嗷嗷", "山里", 4),
    "青蛙": ("呱呱", "水里", 4), "小鸟": ("叽叽喳喳", "树上", 2), "马": ("咴咴", "草地上", 4),
    "母鸡": ("咯咯", "鸡窝里", 2), "蜜蜂": ("嗡嗡", "蜂窝里", 6),
}  # fmt: skip
COLOURS = {
    "草": "绿", "雪": "白", "天空": "蓝", "柠檬": "黄", "西红柿": "红", "煤": "黑", "巧克力": "棕",
    "香蕉": "黄", "牛奶": "白", "大海": "蓝", "太阳": "红", "草莓": "红", "胡萝卜": "橙",
    "树叶": "绿", "乌鸦": "黑", "葡萄": "紫",
}  # fmt: skip
MIXTURES = {("蓝", "黄"): "绿", ("红", "黄"): "橙", ("红", "蓝"): "紫", ("黑", "白"): "灰"}
_PAIRS = (
    "大小 多少 高低 快慢 新旧 冷热 长短 上下 左右 前后 里外 早晚 轻重 好坏 远近 黑白 开关 胖瘦 "
    "深浅 软硬 干湿 强弱 对错 男女"
)
OPPOSITES = {
    word: other
    for pair in _PAIRS.split()
    for word, other in ((pair[0], pair[1]), (pair[1], pair[0]))
}
_DAYS = "一二三四五六日"
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

CRY = Phrasings(
    ("{a}怎么叫", "{a}的叫声是什么", "{a}是怎么叫的", "你知道{a}怎么叫吗"), ("请问{a}怎么叫",)
)
HOME = Phrasings(("{a}住在哪里", "{a}生活在哪里"), ("你知道{a}住在哪里吗",))
LEGS = Phrasings(("{a}有几条腿", "{a}有多少条腿", "你知道{a}有几条腿吗"), ("请问{a}有几条腿",))
COLOUR = Phrasings(
    ("{t}是什么颜色", "{t}是什么颜色的", "{t}的颜色是什么", "你知道{t}是什么颜色吗"),
    ("请问{t}是什么颜色",),
)
MIX = Phrasings(
    ("{a}色加{b}色是什么颜色", "{a}色和{b}色混在一起是什么颜色"), ("{a}色和{b}色会变成什么颜色",)
)
OPPOSITE = Phrasings(
    ("{w}的反义词是什么", "{w}的反义词", "请告诉我{w}的反义词",
     "{w}的反义词是哪个", "告诉我{w}的反义词"), ("你知道{w}的反义词吗",),
)  # fmt: skip
DAY_AFTER = Phrasings(
    ("{d}后面是星期几", "{d}的后一天是星期几", "你知道{d}后面是星期几吗"), ("请问{d}后面是星期几",)
)
DAY_BEFORE = Phrasings(
    ("{d}前面是星期几", "{d}的前一天是星期几", "你知道{d}前面是星期几吗"), ("请问{d}前面是星期几",)
)
MONTH_AFTER = Phrasings(
    ("{d}后面是几月", "{d}的下个月是几月", "你知道{d}后面是几月吗"), ("请问{d}后面是几月",)
)
MONTH_BEFORE = Phrasings(
    ("{d}前面是几月", "{d}的上个月是几月", "你知道{d}前面是几月吗"), ("请问{d}前面是几月",)
)
LENGTH = Phrasings(("{d}有多少天", "{d}有几天"), ("请问{d}有多少天",))


def animals(random: Random, held_out: bool = False) -> Exchange:
    name = pick(random, tuple(ANIMALS))
    cry, home, legs = ANIMALS[name]
    count = "两" if legs == 2 else number(legs)
    phrasing, answer = pick(
        random,
        (
            (CRY, f"{name}{cry}叫。"),
            (HOME, f"{name}住在{home}。"),
            (LEGS, f"{name}有{count}条腿。"),
        ),
    )
    return Exchange(phrasing.pick(random, held_out).format(a=name), answer, "animals")


def colours(random: Random, held_out: bool = False) -> Exchange:
    if random.random() < 0.3:
        first, second = pick(random, tuple(MIXTURES))
        result = MIXTURES[first, second]
        if random.random() < 0.5:
            first, second = second, first
        question = MIX.pick(random, held_out).format(a=first, b=second)
        answer = f"{first}色和{second}色变成{result}色。"
        return Exchange(question, answer, "colours", f"变成{result}色")
    thing = pick(random, tuple(COLOURS))
    question = COLOUR.pick(random, held_out).format(t=thing)
    return Exchange(question, f"{thing}是{COLOURS[thing]}色的。", "colours")


def opposites(random: Random, held_out: bool = False) -> Exchange:
    word = pick(random, tuple(OPPOSITES))
    question = OPPOSITE.pick(random, held_out).format(w=word)
    return Exchange(question, f"{word}的反义词是{OPPOSITES[word]}。", "opposites")


def calendar(random: Random, held_out: bool = False) -> Exchange:
    """Days and months before and after, and how long a month is."""
    after = random.random() < 0.5
    if random.random() < 0.5:
        place = random.randrange(7)
        name, other = (f"星期{_DAYS[each % 7]}" for each in (place, place + (1 if after else -1)))
        phrasing = DAY_AFTER if after else DAY_BEFORE
    else:
        place = random.randrange(12)
        name, other = (f"{number(e % 12 + 1)}月" for e in (place, place + (1 if after else -1)))
        phrasing = MONTH_AFTER if after else MONTH_BEFORE
        if random.random() < 0.35:
            question = LENGTH.pick(random, held_out).format(d=name)
            return Exchange(question, f"{name}有{number(_LENGTHS[place])}天。", "calendar")
    answer = f"{name}{'后' if after else '前'}面是{other}。"
    return Exchange(phrasing.pick(random, held_out).format(d=name), answer, "calendar")
