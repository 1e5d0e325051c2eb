"""The coffee bar: orders, their reading back, and the slots in both."""

from __future__ import annotations

import re
from random import Random
from typing import TypeAlias

from models.training.skills.exchange import Exchange, sentence

Slots: TypeAlias = dict[str, str]

DRINKS = (
    "coffee", "americano", "cappuccino", "espresso", "latte", "mocha", "iced coffee",
    "iced mocha", "drip coffee", "house coffee",
)  # fmt: skip
SIZES = (
    "small", "medium", "large", "eight ounce", "twelve ounce", "sixteen ounce", "twenty ounce",
)  # fmt: skip
ROASTS = ("light roast", "medium roast", "dark roast")
SHOTS = ("single shot", "double shot", "triple shot")
AMOUNTS = ("", "", "some ", "a bit of ", "a little bit of ", "a lot of ", "lots of ")
MILKS = ("milk", "soy milk", "almond milk", "whole milk", "skim milk", "cream")
SUGARS = ("sugar", "brown sugar", "sweetener")

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


def read_back(slots: Slots) -> str:
    """The order in fixed words, from which `slots_of` gets the slots again.

    >>> read_back({"coffeeDrink": "latte", "size": "small", "sugarAmount": "a bit of sugar"})
    'One small latte, with a bit of sugar.'
    """
    noun = [slots[name] for name in ("size", "roast", "coffeeDrink") if name in slots]
    text = "One " + " ".join(noun)
    if "numberOfShots" in slots:
        text += f", {slots['numberOfShots']}"
    extras = [slots[name] for name in ("milkAmount", "sugarAmount") if name in slots]
    if extras:
        text += f", with {' and '.join(extras)}"
    return text + "."


def _one_of(values: tuple[str, ...]) -> str:
    longest_first = sorted(set(values), key=len, reverse=True)
    return "|".join(longest_first)


_READ_BACK = re.compile(
    rf"one (?:(?P<size>{_one_of(SIZES)}) )?(?:(?P<roast>{_one_of(ROASTS)}) )?"
    rf"(?P<coffeeDrink>{_one_of(DRINKS)})(?: (?P<numberOfShots>{_one_of(SHOTS)}))?"
    rf"(?: with(?: (?P<milkAmount>(?:{_one_of(AMOUNTS[2:])})?(?:{_one_of(MILKS)})))?"
    rf"(?: and)?(?: (?P<sugarAmount>(?:{_one_of(AMOUNTS[2:])})?(?:{_one_of(SUGARS)})))?)?"
)


def slots_of(answer: str) -> Slots:
    """The slots that an answer reads back; empty if it is no reading back."""
    words = " ".join(re.findall(r"[a-z']+", answer.lower()))
    found = _READ_BACK.fullmatch(words)
    return {k: v for k, v in found.groupdict().items() if v} if found else {}


def parse_label(label: str) -> Slots:
    """Slots from a manifest's label such as "intent=orderDrink; coffeeDrink=latte"."""
    pairs = (part.split("=", 1) for part in label.split(";") if "=" in part)
    return {name.strip(): value.strip() for name, value in pairs if name.strip() != "intent"}


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
