"""Asking for slower speech: the last answer again, marked so that the voice slows down."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings

SLOWER = Phrasings(
    ("say that slower", "slower please", "can you say that slower", "speak slower",
     "say it again slowly", "please speak more slowly", "can you speak more slowly",
     "repeat that slowly", "not so fast", "that was too fast", "please talk slower"),
    ("could you say that more slowly", "a bit slower please"),
)  # fmt: skip
SLOWER_CHINESE = Phrasings(
    ("请说慢一点", "说慢一点", "慢一点", "太快了", "请慢慢说", "说慢点", "能说慢一点吗"),
    ("可以说得慢一点吗",),
)
PROMISE = "All right. I will speak more slowly."


def slowed(question: str, before: Exchange | None, promise: str) -> Dialogue:
    """The wish after an answer, or alone."""
    if before is None:
        return Dialogue((Exchange(question, promise, "slower", slow=True),))
    again = Exchange(question, before.answer, "slower", before.key, slow=True)
    return Dialogue((before, again))


def slower(random: Random, before: Exchange | None, held_out: bool = False) -> Dialogue:
    """Say the last answer once more and slowly; without one, promise to."""
    return slowed(SLOWER.pick(random, held_out), before, PROMISE)
