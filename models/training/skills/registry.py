"""All skills with their shares, and dialogues drawn from them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from models.training.skills import (
    coffee,
    everyday,
    functions,
    geography,
    narration,
    negatives,
    numbers,
    offers,
    saying,
    slower,
    talk,
)
from models.training.skills.dressing import dressed
from models.training.skills.exchange import Dialogue, Exchange
from models.training.skills.mandarin import negatives as mandarin_negatives
from models.training.skills.mandarin import registry as mandarin

Maker: TypeAlias = Callable[[Random, bool], Exchange]

SINGLE: dict[str, tuple[Maker, float]] = {  # skill: its maker and its share of the questions
    "sums": (numbers.arithmetic, 21),
    "counting": (numbers.counting, 6),
    "digits": (numbers.lone_number, 4),
    "geography": (geography.geography, 18),
    "coffee": (coffee.order, 14),
    "animals": (everyday.animals, 5),
    "colours": (everyday.colours, 3),
    "opposites": (everyday.opposites, 5),
    "spelling": (everyday.spelling, 3),
    "calendar": (everyday.calendar, 4),
    "units": (everyday.units, 4),
    "identity": (talk.identity, 4),
    "small talk": (talk.small_talk, 5),
    "stopping": (talk.stop, 6),
    "outside": (talk.outside, 5),
    "saying": (saying.saying, 12),
    "narration": (narration.narration, 7),
}
DIALOGUES: dict[str, float] = {  # kind: its share beside the single questions
    "single": 76, "follow up": 7, "going on": 9, "repeating": 8, "recalling": 10, "functions": 10,
    "slower": 4,
    "offers": 3,
}  # fmt: skip
AIDS = ("saying",)  # what is practised for the sake of other skills, and not asked for
CHINESE = 0.3  # share of dialogues in Chinese
_SHORT = tuple(name for name in SINGLE if name not in ("narration", "stopping", "coffee"))


def not_meant(random: Random, chinese: float = CHINESE) -> str:
    """Words that are no query, that share of them in Chinese."""
    if random.random() < chinese:
        return mandarin_negatives.not_meant(random)
    return negatives.not_meant(random)


def exchange(random: Random, held_out: bool = False, names: tuple[str, ...] = ()) -> Exchange:
    """One question of any skill, or of the skills named."""
    chosen = names or tuple(name for name in SINGLE if not (held_out and name in AIDS))
    name = random.choices(chosen, [SINGLE[each][1] for each in chosen])[0]
    made = SINGLE[name][0](random, held_out)
    return made if held_out else dressed(random, made)


def drill(random: Random, chinese: float = CHINESE) -> Dialogue:
    """Several number questions in a row, for sums are learned by doing very many of them. Chinese
    ones are drawn more often than that share: their tokens are pieces of numbers, not digits."""
    makers = mandarin.SINGLE if random.random() < 2 * chinese else SINGLE
    names = random.choices(("sums", "counting"), (5, 1), k=random.randrange(2, 7))
    return Dialogue(tuple(makers[name][0](random, False) for name in names))


def dialogue(
    random: Random, held_out: bool = False, most: int = 3, chinese: float = CHINESE
) -> Dialogue:
    """One to `most` exchanges; those of the last one are held out if asked for.

    `chinese` is the share of dialogues in Chinese.
    """
    if random.random() < chinese:
        return mandarin.dialogue(random, held_out)
    kind = random.choices(tuple(DIALOGUES), tuple(DIALOGUES.values()))[0]
    if kind == "functions":
        return functions.functions(random, held_out)
    if kind == "follow up":
        return geography.follow_up(random, held_out)
    if kind == "going on":
        return narration.resumed(random, held_out)
    if kind == "repeating":
        return narration.repeated(random, exchange(random, names=_SHORT), held_out)
    if kind == "recalling":
        return narration.recalled(random, exchange(random, names=_SHORT), held_out)
    if kind == "offers":
        return offers.offer(random, held_out)
    if kind == "slower":
        before = exchange(random, names=_SHORT) if random.random() < 0.85 else None
        return slower.slower(random, before, held_out)
    count = 1 if held_out else random.choice((1, 1, 1, 1, 1, 1, 2, most))
    tools = (functions.functions(random).tools) if random.random() < 0.15 else ()
    return Dialogue(tuple(exchange(random, held_out) for _ in range(count)), tools)
