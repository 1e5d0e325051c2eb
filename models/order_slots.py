"""Coffee orders as slots, and digits: how an answer reads them back, and how right that is.

The bundled model answers an order in fixed words, so that its slots can be read out of the answer
again. The training recipe makes such answers and the evaluation judges them; both use this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

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


@dataclass(frozen=True, slots=True)
class SlotScore:
    """Counts over orders. `exact`: every slot right and none extra."""

    orders: int = 0
    exact: int = 0
    hits: int = 0
    given: int = 0
    wanted: int = 0

    @property
    def slot_f1(self) -> float:
        return 2 * self.hits / max(1, self.given + self.wanted)

    def plus(self, given: Slots, wanted: Slots) -> SlotScore:
        hits = sum(wanted.get(name) == value for name, value in given.items())
        return SlotScore(
            self.orders + 1, self.exact + (given == wanted), self.hits + hits,
            self.given + len(given), self.wanted + len(wanted),
        )  # fmt: skip


_DIGITS = "zero one two three four five six seven eight nine".split()


def digit_of(answer: str) -> int | None:
    """The one digit that an answer names; None if there is none or more than one."""
    named = {word for word in re.findall(r"[a-z']+", answer.lower()) if word in _DIGITS}
    return _DIGITS.index(named.pop()) if len(named) == 1 else None
