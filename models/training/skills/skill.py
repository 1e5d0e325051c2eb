"""A skill of the recipe: its text, its language, its shares, and when an answer is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TypeAlias

from models.training.scoring import answered
from models.training.skills.exchange import Dialogue, Exchange

QuestionMaker: TypeAlias = Callable[[Random, bool], Exchange]
# from the random source, an exchange that went before (or None), and whether wording is reserved
DialogueMaker: TypeAlias = Callable[[Random, Exchange | None, bool], Dialogue]
# from the exchange, what was answered, and the function call (name and JSON) if there was one
Judge: TypeAlias = Callable[[Exchange, str, tuple[str, str] | None], bool]


class Language(Enum):
    ENGLISH = "en"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Skill:
    """One kind of question that stands for itself.

    `weight` is its share among the written questions of its language. `spoken` holds the kinds of
    exchange that it makes, each with its share among spoken conversations. `is_right` judges an
    answer.
    """

    name: str
    make: QuestionMaker
    weight: float
    language: Language
    spoken: Mapping[str, float]
    is_aid: bool = False  # practised, and asked for nowhere or in an evaluation of its own
    is_short: bool = True  # short enough to stand before another question
    takes_filler: bool = True  # "well, ... please" around it changes nothing
    is_right: Judge = answered


@dataclass(frozen=True, slots=True)
class DialogueSkill:
    """One kind of exchange that needs a conversation: "go on", "say that slower", a function.

    `weight` is its share beside that of single questions. With `before` it stands behind a short
    question of another skill, in that share of cases.
    """

    name: str
    make: DialogueMaker
    weight: float
    language: Language
    spoken: Mapping[str, float]
    before: float = 0.0
    is_right: Judge = field(default=answered)
