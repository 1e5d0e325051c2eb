"""Chinese: coffee orders and their reading back. Slots have the names and values of English."""

from __future__ import annotations

from random import Random

from models.order_slots import Slots
from models.training.skills.exchange import Exchange

DRINKS = {
    "coffee": "咖啡", "americano": "美式咖啡", "cappuccino": "卡布奇诺", "espresso": "浓缩咖啡",
    "latte": "拿铁", "mocha": "摩卡", "iced coffee": "冰咖啡", "iced mocha": "冰摩卡",
}  # fmt: skip
SIZES = {"small": "小杯", "medium": "中杯", "large": "大杯"}
ROASTS = {"light roast": "浅烘", "medium roast": "中烘", "dark roast": "深烘"}
SHOTS = {"single shot": "单份", "double shot": "双份", "triple shot": "三份"}
MILKS = {"milk": "牛奶", "soy milk": "豆奶", "almond milk": "杏仁奶", "cream": "奶油"}
SUGARS = {"sugar": "糖", "brown sugar": "红糖", "sweetener": "代糖"}
AMOUNTS = {"": "", "a little bit of ": "一点", "lots of ": "很多"}

_OPENINGS = ("我要", "请给我", "给我", "我想要", "来", "给我来", "我想点", "可以给我", "麻烦给我")
_ENDINGS = ("", "", "", "谢谢")
_HELD_OPENINGS = ("帮我做", "我来")


def _extra(random: Random, kinds: dict[str, str]) -> str:
    return random.choice(tuple(AMOUNTS)) + random.choice(tuple(kinds))


def random_slots(random: Random) -> Slots:
    """An order with at least a drink."""
    slots = {"coffeeDrink": random.choice(tuple(DRINKS))}
    for name, values in (("size", SIZES), ("roast", ROASTS), ("numberOfShots", SHOTS)):
        if random.random() < 0.45:
            slots[name] = random.choice(tuple(values))
    if random.random() < 0.4:
        slots["milkAmount"] = _extra(random, MILKS)
    if random.random() < 0.4:
        slots["sugarAmount"] = _extra(random, SUGARS)
    return slots


def _noun(slots: Slots) -> str:
    """Size, roast, shots and drink in the order in which Chinese has them."""
    parts = (("size", SIZES), ("roast", ROASTS), ("numberOfShots", SHOTS), ("coffeeDrink", DRINKS))
    return "".join(words[slots[name]] for name, words in parts if name in slots)


def _extras(slots: Slots) -> list[str]:
    said = []
    for name, kinds in (("milkAmount", MILKS), ("sugarAmount", SUGARS)):
        if name in slots:
            kind = max((k for k in kinds if slots[name].endswith(k)), key=len)
            said.append(AMOUNTS[slots[name].removesuffix(kind)] + kinds[kind])
    return said


def phrase(slots: Slots, random: Random, held_out: bool = False) -> str:
    """One way to order this."""
    extras = _extras(slots)
    random.shuffle(extras)
    tail = f"加{random.choice(('和', '加', '还有')).join(extras)}" if extras else ""
    opening = random.choice(_HELD_OPENINGS if held_out else _OPENINGS)
    return f"{opening}一杯{_noun(slots)}{tail}{random.choice(_ENDINGS)}"


def read_back(slots: Slots) -> str:
    """The order in fixed words.

    >>> read_back({"coffeeDrink": "latte", "size": "small", "sugarAmount": "lots of sugar"})
    '一杯小杯拿铁，加很多糖。'
    """
    extras = _extras(slots)
    return f"一杯{_noun(slots)}{'，加' if extras else ''}{'和'.join(extras)}。"


def order(random: Random, held_out: bool = False) -> Exchange:
    slots = random_slots(random)
    return Exchange(phrase(slots, random, held_out), read_back(slots), "coffee")
