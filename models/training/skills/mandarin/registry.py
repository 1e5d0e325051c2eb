"""All Chinese skills with their shares, and dialogues drawn from them."""

from __future__ import annotations

from random import Random

from models.training.skills.dressing import dressed
from models.training.skills.exchange import Dialogue, Exchange
from models.training.skills.mandarin import coffee, everyday, geography, narration, numbers, talk
from models.training.skills.offers import offer
from models.training.skills.saying import saying_chinese

SINGLE = {  # skill: its maker and its share of the questions
    "sums": (numbers.arithmetic, 16),
    "counting": (numbers.counting, 7),
    "digits": (numbers.lone_number, 3),
    "geography": (geography.geography, 14),
    "coffee": (coffee.order, 18),
    "animals": (everyday.animals, 4),
    "colours": (everyday.colours, 4),
    "opposites": (everyday.opposites, 6),
    "calendar": (everyday.calendar, 7),
    "identity": (talk.identity, 4),
    "small talk": (talk.small_talk, 5),
    "stopping": (talk.stop, 6),
    "outside": (talk.outside, 5),
    "saying": (saying_chinese, 14),
    "narration": (narration.narration, 7),
}
DIALOGUES: dict[str, float] = {  # kind: its share beside the single questions
    "single": 78, "follow up": 7, "going on": 10, "repeating": 9, "recalling": 9, "slower": 6,
    "offers": 3,
}  # fmt: skip
AIDS = ("saying",)  # what is practised for the sake of other skills, and not asked for
_SHORT = tuple(name for name in SINGLE if name not in ("narration", "stopping"))


def exchange(random: Random, held_out: bool = False, names: tuple[str, ...] = ()) -> Exchange:
    """One question of any skill, or of the skills named."""
    chosen = names or tuple(name for name in SINGLE if not (held_out and name in AIDS))
    name = random.choices(chosen, [SINGLE[each][1] for each in chosen])[0]
    made = SINGLE[name][0](random, held_out)
    return made if held_out else dressed(random, made)


def dialogue(random: Random, held_out: bool = False) -> Dialogue:
    """One to three exchanges; those of the last one are held out if asked for."""
    kind = random.choices(tuple(DIALOGUES), tuple(DIALOGUES.values()))[0]
    if kind == "follow up":
        return geography.follow_up(random, held_out)
    if kind == "going on":
        return narration.resumed(random, held_out)
    if kind == "offers":
        return offer(random, held_out, chinese=True)
    if kind == "single":
        count = 1 if held_out else random.choice((1, 1, 1, 1, 1, 1, 2, 3))
        return Dialogue(tuple(exchange(random, held_out) for _ in range(count)))
    before = exchange(random, names=_SHORT)
    if kind == "repeating":
        return narration.repeated(random, before, held_out)
    if kind == "recalling":
        return narration.recalled(random, before, held_out)
    return narration.slower(random, before if random.random() < 0.85 else None, held_out)
