"""Sentences that nano may say, short ones most: what its voice learns to speak."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from models.training.skills.explanations import EXPLANATIONS
from models.training.skills.mandarin import narration
from models.training.skills.registry import dialogue
from models.training.skills.stories import STORIES

LONGEST = 260  # letters


def answers(count: int = 6500, seed: int = 1) -> list[str]:
    """Distinct English answers of all skills in random order, and every sentence of the long
    texts."""
    return _gathered(count, seed, 0.0, ". ", ".", (*STORIES.values(), *EXPLANATIONS.values()))


def chinese_answers(count: int = 2500, seed: int = 1) -> list[str]:
    """The same of the Chinese skills, in characters."""
    told = (*narration.STORIES.values(), *narration.EXPLANATIONS.values())
    return _gathered(count, seed, 1.0, "。", "。", told)


def _gathered(
    count: int, seed: int, chinese: float, between: str, stop: str, told: Sequence[str]
) -> list[str]:
    random = Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        for exchange in dialogue(random, chinese=chinese).exchanges:
            for said in (exchange.answer, exchange.report):
                if said and len(said) < LONGEST:
                    found.setdefault(said)
    for text in told:
        for said in text.rstrip(stop).split(between):
            found.setdefault(said + stop)
    ordered = list(found)
    random.shuffle(ordered)
    return ordered
