"""Pictures: shape, colour, count and digit of what is drawn, asked in English and in Chinese."""

from __future__ import annotations

from random import Random
from typing import Final

from models.training.skills.exchange import Exchange, Phrasings, article, pick
from models.training.skills.mandarin.numbers import number
from models.training.skills.numbers import spell
from models.training.skills.scene import COLOURS, MOST, SHAPES, PictureScene

SKILL: Final = "images"
TRAIN_SEEDS = range(0, 2**30)
HELD_OUT_SEEDS = range(2**30, 2**31)  # pictures that training never draws

SHAPE = Phrasings(
    ("what shape is it", "which shape do you see", "what shape is in the picture",
     "what shape is this", "which shape is it", "what kind of shape is that", "name the shape",
     "what is the shape", "tell me the shape"),
    ("which shape is in the picture", "can you tell me the shape", "what shape do you see"),
)  # fmt: skip
COLOUR = Phrasings(
    ("what colour is it", "which colour is it", "what colour do you see", "what is the colour",
     "tell me the colour", "what colour is the {n}", "which colour is the {n}",
     "what colour is in the picture", "what colour does it have"),
    ("which colour do you see", "what is the colour of the {n}", "can you tell me the colour"),
)  # fmt: skip
COUNT = Phrasings(
    ("how many are there", "how many shapes do you see", "how many {s} are there",
     "how many {s} do you see", "count the {s}", "how many shapes are in the picture",
     "can you count the {s}", "how many are in the picture", "tell me how many there are"),
    ("how many shapes are there", "how many {s} are in the picture", "how many do you see"),
)  # fmt: skip
DIGIT = Phrasings(
    ("what number is it", "which number do you see", "what digit is it", "which digit is this",
     "what number is in the picture", "read the number", "what digit do you see",
     "which number is it", "tell me the number"),
    ("what number do you see", "which digit do you see", "can you read the number"),
)  # fmt: skip
SEEN = Phrasings(
    ("what do you see", "what is in the picture", "what is this", "describe the picture",
     "what can you see", "what am i showing you", "tell me what you see", "look at this",
     "what is on the picture"),
    ("can you describe the picture", "what do you see in the picture", "what do you see here"),
)  # fmt: skip
BLIND = "I do not see a picture."

_WORDS = {  # Chinese names of shapes and colours
    "circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星形",
    "red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色", "orange": "橙色",
    "purple": "紫色", "black": "黑色", "white": "白色",
}  # fmt: skip
_ASKED = {
    "shape": Phrasings(
        ("这是什么形状", "图里是什么形状", "请说出形状", "这个图形叫什么", "请看图，是什么形状"),
        ("你看到什么形状",),
    ),
    "colour": Phrasings(
        ("这是什么颜色", "图里是什么颜色", "请说出颜色", "它是什么颜色的", "请看图，是什么颜色"),
        ("你看到什么颜色",),
    ),
    "count": Phrasings(
        ("图里有几个", "一共有几个", "请数一数", "这张图里有几个", "数一数有几个"),
        ("你看到几个",),
    ),
    "digit": Phrasings(
        (
            "这是什么数字",
            "图里是什么数字",
            "请读出数字",
            "这张图上是什么数字",
            "请看图，是什么数字",
        ),
        ("你看到什么数字",),
    ),
    "seen": Phrasings(
        (
            "你看到什么",
            "图里有什么",
            "请看这张图",
            "说说这张图",
            "请介绍这张图",
            "描述一下图片",
            "请说说图里有什么",
            "这张图里有什么",
        ),
        ("请描述这张图",),
    ),
}
_ENGLISH = {"shape": SHAPE, "colour": COLOUR, "count": COUNT, "digit": DIGIT, "seen": SEEN}


def scene(random: Random, held_out: bool = False) -> PictureScene:
    """A picture to draw: shapes or, in two of five, a digit."""
    colour, seed = pick(random, COLOURS), pick(random, HELD_OUT_SEEDS if held_out else TRAIN_SEEDS)
    if random.random() < 0.4:
        return PictureScene("", colour, digit=random.randrange(10), seed=seed)
    return PictureScene(pick(random, SHAPES), colour, random.randrange(1, MOST + 1), seed=seed)


def picture(random: Random, held_out: bool = False, chinese: bool = False) -> Exchange:
    """A picture and one question about it."""
    return about(scene(random, held_out), random, held_out, chinese)


def about(
    seen: PictureScene, random: Random, held_out: bool = False, chinese: bool = False
) -> Exchange:
    """A question about one picture."""
    kind = pick(random, _kinds(seen))
    if chinese:
        answer, key = _chinese(seen, kind)
        return Exchange(_ASKED[kind].pick(random, held_out), answer, SKILL, key, scenes=(seen,))
    question = _worded(_ENGLISH[kind].pick(random, held_out), seen)
    answer, key = _english(seen, kind)
    return Exchange(question, answer, SKILL, key, scenes=(seen,))


def spoken_questions(held_out: bool = False) -> list[str]:
    """Every question, for the voices to say: English, then Chinese."""
    found: dict[str, None] = {}
    for phrasings in (*_ENGLISH.values(), *_ASKED.values()):
        for text in phrasings.evaluation if held_out else phrasings.train:
            for noun in (*SHAPES, "number") if "{n}" in text else SHAPES:
                found.setdefault(text.format(n=noun, s=f"{noun}s"))
    return list(found)


def fitting(question: str, random: Random, held_out: bool = False) -> Exchange:
    """A picture for one of `spoken_questions`, and the answer. Raises ValueError for another."""
    chinese = not question.isascii()
    for _ in range(2_000):
        seen = scene(random, held_out)
        for kind in _kinds(seen):
            if question in _wordings(seen, kind, chinese):
                answer, key = (_chinese if chinese else _english)(seen, kind)
                return Exchange(question, answer, SKILL, key, scenes=(seen,))
    raise ValueError(f"no picture fits {question!r}")


def unseen(random: Random, held_out: bool = False) -> Exchange:
    """A question about a picture where there is none."""
    kind = pick(random, tuple(_ENGLISH))
    question = _ENGLISH[kind].pick(random, held_out).format(n="number", s="circles")
    return Exchange(question, BLIND, SKILL)


def _kinds(seen: PictureScene) -> tuple[str, ...]:
    """What can be asked about a picture."""
    return ("shape", "colour", "count", "seen") if seen.shape else ("digit", "colour", "seen")


def _wordings(seen: PictureScene, kind: str, chinese: bool) -> list[str]:
    phrasings = (_ASKED if chinese else _ENGLISH)[kind]
    return [_worded(text, seen) for text in (*phrasings.train, *phrasings.evaluation)]


def _worded(text: str, seen: PictureScene) -> str:
    return text.format(n=seen.shape or "number", s=f"{seen.shape}s")


def _plural(seen: PictureScene) -> str:
    return seen.shape if seen.count == 1 else f"{seen.shape}s"


def _english(seen: PictureScene, kind: str) -> tuple[str, str]:
    """The answer and the words that make it right."""
    colour, many, name = seen.colour, seen.count > 1, spell(seen.digit)
    if kind == "shape":
        return (f"They are {seen.shape}s." if many else f"It is a {seen.shape}."), _plural(seen)
    if kind == "colour":
        return (f"They are {colour}." if many else f"It is {colour}."), colour
    if kind == "count":
        key = f"{spell(seen.count)} {_plural(seen)}"
        return f"There {'are' if many else 'is'} {key}.", key
    if kind == "digit":
        return f"It is the number {name}.", name
    key = f"{spell(seen.count)} {colour} {_plural(seen)}" if seen.shape else f"{colour} {name}"
    return f"I see {key if seen.shape else article(key)}.", key


def _chinese(seen: PictureScene, kind: str) -> tuple[str, str]:
    colour, name = _WORDS[seen.colour], number(seen.digit)
    count = "两" if seen.count == 2 else number(seen.count)
    if kind == "shape":
        return f"这是{_WORDS[seen.shape]}。", _WORDS[seen.shape]
    if kind == "colour":
        return f"这是{colour}。", colour
    if kind == "count":
        return f"有{count}个{_WORDS[seen.shape]}。", f"{count}个"
    if kind == "digit":
        return f"这是数字{name}。", name
    key = f"{count}个{colour}的{_WORDS[seen.shape]}" if seen.shape else f"{colour}的{name}"
    return f"我看到{key}。", key
