"""Sentences that nano may say, short ones most: what its voice learns to speak."""

from __future__ import annotations

from random import Random

from models.training.skills.explanations import EXPLANATIONS
from models.training.skills.registry import dialogue
from models.training.skills.stories import STORIES

LONGEST = 260  # letters


def answers(count: int = 6500, seed: int = 1) -> list[str]:
    """Distinct answers of all skills in random order, and every sentence of the long texts."""
    random = Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        for exchange in dialogue(random).exchanges:
            for said in (exchange.answer, exchange.report):
                if said and len(said) < LONGEST:
                    found.setdefault(said)
    for text in (*STORIES.values(), *EXPLANATIONS.values()):
        for said in text.split(". "):
            found.setdefault(said.rstrip(".") + ".")
    ordered = list(found)
    random.shuffle(ordered)
    return ordered
