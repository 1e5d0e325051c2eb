"""One question and its answer, and the dialogues they make: the plain data of all skills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from models.training.skills.scene import PictureScene

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call that the assistant should make; `arguments` is JSON."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is said or typed, and what a good assistant says to it.

    `key` are the words that make an answer right (empty: the whole answer). A `cut` answer is only
    what was heard of it; nothing is learned from its words.
    """

    question: str
    answer: str
    skill: str
    key: str = ""
    call: ToolCall | None = None
    result: str = ""  # what the called function gives back; asked to be put into words
    report: str = ""  # the answer to that result
    cut: bool = False
    slow: bool = False  # to be spoken slowly
    scenes: tuple[PictureScene, ...] = ()  # shown before the question, which is about the last


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Exchanges in order, and the functions that the session declares."""

    exchanges: tuple[Exchange, ...]
    tools: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Ways to say one thing: some to learn from, some kept back for evaluation."""

    train: tuple[str, ...]
    evaluation: tuple[str, ...]

    def pick(self, random: Random, held_out: bool) -> str:
        return random.choice(self.evaluation if held_out else self.train)


def sentence(text: str) -> str:
    """The text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def pick(random: Random, values: Sequence[Value]) -> Value:
    return values[random.randrange(len(values))]


def article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
