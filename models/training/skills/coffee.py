"""The coffee bar: orders, their reading back, and the slots in both."""

from __future__ import annotations

from random import Random

from models.order_slots import (
    AMOUNTS,
    DRINKS,
    MILKS,
    ROASTS,
    SHOTS,
    SIZES,
    SUGARS,
    Slots,
    read_back,
)
from models.training.skills.exchange import Exchange, sentence

_OPENINGS = (
    "can i have", "could i have", "can i get", "could i get", "i would like", "i'd like",
    "i'll have", "i want", "give me", "make me", "get me", "please make me", "can you make me",
    "could you make me", "i will take", "i'll take", "may i have", "let me get", "brew me",
    "let me have", "please get me", "can you get me", "prepare", "make", "could you prepare",
)  # fmt: skip
_ENDINGS = ("", "", "", "", " please", " please", " thank you", " thanks")


def random_slots(random: Random) -> Slots:
    """An order with at least a drink."""
    slots = {"coffeeDrink": random.choice(DRINKS)}
    if random.random() < 0.5:
        slots["size"] = random.choice(SIZES)
    if random.random() < 0.5:
        slots["roast"] = random.choice(ROASTS)
    if random.random() < 0.5:
        slots["numberOfShots"] = random.choice(SHOTS)
    if random.random() < 0.45:
        slots["milkAmount"] = random.choice(AMOUNTS) + random.choice(MILKS)
    if random.random() < 0.45:
        slots["sugarAmount"] = random.choice(AMOUNTS) + random.choice(SUGARS)
    return slots


def _article(word: str) -> str:
    return "an" if word[0] in "aei" else "a"


def phrase(slots: Slots, random: Random) -> str:
    """One way to order this, in lower case."""
    before = [slots[name] for name in ("size", "roast", "numberOfShots") if name in slots]
    random.shuffle(before)
    after: list[str] = []
    while before and random.random() < 0.2:
        after.append(before.pop())
    extras = [slots[name] for name in ("milkAmount", "sugarAmount") if name in slots]
    random.shuffle(extras)
    after = extras + after if random.random() < 0.7 else after + extras
    noun = " ".join([*before, slots["coffeeDrink"]])
    opening = "" if random.random() < 0.1 else random.choice(_OPENINGS) + " "
    lead = "" if random.random() < 0.1 else f"{_article(noun)} "
    joint = random.choice((" and ", " and ", " with ", " and with ", " "))
    tail = f" with {joint.join(after)}" if after else ""
    return opening + lead + noun + tail + random.choice(_ENDINGS)


def order(random: Random, held_out: bool = False) -> Exchange:
    slots = random_slots(random)
    return Exchange(phrase(slots, random), read_back(slots), "coffee")


def statement(random: Random) -> str:
    """Talk about coffee that orders nothing."""
    slots = random_slots(random)
    noun = " ".join([slots[n] for n in ("size", "roast", "coffeeDrink") if n in slots])
    extras = [slots[n] for n in ("milkAmount", "sugarAmount") if n in slots]
    tail = f" with {' and '.join(extras)}" if extras else ""
    start = random.choice(
        ("she ordered {}", "i had {} this morning", "he always drinks {}", "we bought {} yesterday",
         "they gave me {}", "my brother likes {}", "there is {} on the table", "i made {} for her",
         "the man next to me had {}", "you said you wanted {}")
    )  # fmt: skip
    return sentence(start.format(f"{_article(noun)} {noun}{tail}")) + "."
