"""Chinese numbers: sums, differences and products up to two digits, counting, reading back."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Exchange, Phrasings

_DIGITS = "零一二三四五六七八九"

RESULT = Phrasings(
    ("{t}等于多少", "{t}是多少", "{t}等于几", "请算一下{t}", "{t}", "算算{t}", "{t}得多少",
     "告诉我{t}等于几", "你知道{t}是多少吗"),
    ("请告诉我{t}是多少", "你知道{t}等于几吗"),
)  # fmt: skip
COUNT = Phrasings(
    ("数到{b}", "请数到{b}", "从一数到{b}", "你能数到{b}吗", "给我数到{b}", "麻烦你数到{b}"),
    ("帮我数到{b}",),
)
COUNT_DOWN = Phrasings(
    ("从{b}倒数", "请从{b}倒着数", "可以从{b}倒着数吗", "你会从{b}倒数吗"), ("你能从{b}倒数吗",)
)
NEXT = Phrasings(("{a}后面是几", "{a}的下一个数是几", "你知道{a}后面是几吗"), ("请问{a}后面是几",))


def number(value: int) -> str:
    """A whole number from 0 to 199 in characters."""
    if value < 10:
        return _DIGITS[value]
    if value < 100:
        tens, rest = divmod(value, 10)
        return f"{'' if tens == 1 else _DIGITS[tens]}十{_DIGITS[rest] if rest else ''}"
    rest = value - 100
    if rest == 0:
        return "一百"
    if rest < 10:
        return f"一百零{_DIGITS[rest]}"
    return f"一百{'一' if rest < 20 else ''}{number(rest)}"


def _worked(term: str, result: int, random: Random, held_out: bool) -> Exchange:
    question = RESULT.pick(random, held_out).format(t=term)
    return Exchange(question, f"{term}等于{number(result)}。", "sums", f"等于{number(result)}。")


def arithmetic(random: Random, held_out: bool = False) -> Exchange:
    """A sum, difference or product of whole numbers under a hundred."""
    kind = random.random()
    if kind < 0.6:
        top = random.choice((10, 20, 50, 100))
        a, b = random.randrange(top), random.randrange(top)
        return _worked(f"{number(a)}加{number(b)}", a + b, random, held_out)
    if kind < 0.85:
        a = random.randrange(1, random.choice((11, 21, 100)))
        b = random.randrange(a + 1)
        return _worked(f"{number(a)}减{number(b)}", a - b, random, held_out)
    a, b = random.randrange(1, 11), random.randrange(1, 11)
    return _worked(f"{number(a)}乘{number(b)}", a * b, random, held_out)


def counting(random: Random, held_out: bool = False) -> Exchange:
    """Counting up, counting down, or the number after another."""
    kind = random.random()
    if kind < 0.4:
        top = random.randrange(3, 21)
        question = COUNT.pick(random, held_out).format(b=number(top))
        return Exchange(question, "，".join(map(number, range(1, top + 1))) + "。", "counting")
    if kind < 0.6:
        top = random.randrange(3, 13)
        question = COUNT_DOWN.pick(random, held_out).format(b=number(top))
        return Exchange(question, "，".join(map(number, range(top, 0, -1))) + "。", "counting")
    value = random.randrange(99)
    question = NEXT.pick(random, held_out).format(a=number(value))
    return Exchange(question, f"{number(value)}后面是{number(value + 1)}。", "counting")


def lone_number(random: Random, held_out: bool = False) -> Exchange:
    """A number said alone is read back."""
    value = number(random.randrange(10) if random.random() < 0.6 else random.randrange(100))
    return Exchange(value, f"你说的是{value}。", "digits")
