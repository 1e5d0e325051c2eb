"""What a recogniser wrote, as nano's language model reads it: small letters, numbers in words, no
marks. So a name means the same whether somebody wrote it with a capital or not."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+")
_JOINED = re.compile(r"(?<=\d),(?=\d{3})")  # the commas of 1,920
_OTHER = re.compile(r"[^a-z' ]+")
_SIGNS = {"%": " percent ", "&": " and ", "+": " plus ", "=": " is ", "$": " dollars "}
_LARGEST = 9_999
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def spoken_form(text: str) -> str:
    """ "What's 12 plus 30?" as "what's twelve plus thirty"."""
    plain = _JOINED.sub("", text.lower().replace("\u2019", "'"))
    for sign, word in _SIGNS.items():
        plain = plain.replace(sign, word)
    plain = _NUMBER.sub(lambda found: f" {number_words(found[0])} ", plain)
    return " ".join(_OTHER.sub(" ", plain).split())


def number_words(digits: str) -> str:
    """Digits as a number in words without hyphens; long ones and those that begin with a zero are
    said digit by digit."""
    value = int(digits)
    if value > _LARGEST or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_SMALL[int(digit)] for digit in digits)
    return _words(value)


def _words(value: int) -> str:
    if value < 20:
        return _SMALL[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_SMALL[value % 10]}" if value % 10 else "")
    unit, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    rest = value % unit
    return f"{_words(value // unit)} {name}" + (f" {_words(rest)}" if rest else "")
