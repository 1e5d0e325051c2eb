"""How nano spells what it says: answer text to letters, and which word each letter belongs to."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from models.vita import mandarin

TONES = "12345"  # the end of a Chinese syllable
_PLAIN = " abcdefghijklmnopqrstuvwxyz',.?!"
LETTERS = _PLAIN + TONES  # the id of a letter is its place here

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SIGNS = {
    "+": " plus ",
    "=": " equals ",
    "%": " percent ",
    "&": " and ",
    "°": " degrees ",
    "×": " times ",
    "/": " slash ",
    "$": " dollars ",
    "€": " euros ",
    "£": " pounds ",
}
_PAUSES = str.maketrans({";": ",", ":": ",", "—": ",", "–": ",", "(": ",", ")": ",", "…": "."})
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Spelling:
    """A spoken chunk as letters: English as it is spelled, Chinese in pinyin with tones.

    `letters[i]` is spoken as a part of `words[owner[i]]`; a pause or a space belongs to the word
    before it. `words` are those of the text as it is shown ("27"), not as it is spoken.
    """

    letters: str
    owner: tuple[int, ...]
    words: tuple[str, ...]

    @property
    def ids(self) -> list[int]:
        """[len(letters)], each in 0..len(LETTERS) - 1."""
        return [LETTERS.index(letter) for letter in self.letters]


def spell(text: str, inside: bool = False) -> Spelling:
    """Letters of one spoken chunk; a character is a word where there are Chinese ones. A chunk
    that goes on inside a sentence begins with a space: its melody goes on too. No letters where
    nothing can be spoken."""
    words = _words(text)
    letters = " " if inside else ""
    owner = [0] * len(letters)
    for index, (_, spoken) in enumerate(words):
        if not spoken.strip(",.?!"):  # a lone dash is a pause after the word before it
            spoken = spoken[:1] if letters and letters[-1] not in " ,.?!" else ""
        else:
            glue = " " if letters.strip() and letters[-1] not in TONES else ""
            spoken = glue + spoken.lstrip(",.?!")
        letters += spoken
        owner += [index] * (len(letters) - len(owner))
    shown = tuple(word for word, _ in words)
    return Spelling(letters if letters.strip() else "", tuple(owner), shown)


def _words(text: str) -> list[tuple[str, str]]:
    """Each word as it is shown and as it is said."""
    if not mandarin.written_in_chinese(text):
        return [(word, spoken_form(word)) for word in text.split()]
    return [(word, _kept(said.lower(), LETTERS)) for word, said in mandarin.readings(text)]


def spoken_form(word: str) -> str:
    """One written word as it is said: lower-case letters, digits spelled out, simple pauses."""
    word = re.sub(r"(?<=\d):(?=\d)", " ", word)  # a time of day
    word = unicodedata.normalize("NFKD", word.translate(_PAUSES).replace("’", "'")).lower()
    word = _NUMBER.sub(lambda match: f" {number_words(match.group())} ", word)
    for sign, name in _SIGNS.items():
        word = word.replace(sign, name)
    return _kept(word.replace("-", " "), _PLAIN)


def _kept(word: str, alphabet: str) -> str:
    """Only letters of the alphabet, and only the first of several marks."""
    kept = "".join(letter for letter in word if letter in alphabet)
    kept = re.sub(r"\s+", " ", kept).strip()
    kept = re.sub(r"\s*([,.?!])[,.?!\s]*(?=$|\s)", r"\1", kept)
    return re.sub(r"\s([,.?!])", r"\1", kept)


def number_words(number: str) -> str:
    """A number written in digits, in words: "-3.5" is "minus three point five"."""
    sign = "minus " if number.startswith("-") else ""
    whole, _, fraction = number.lstrip("-").replace(",", "").partition(".")
    if len(whole) > 9 or (len(whole) > 1 and whole.startswith("0")):
        spoken = " ".join(_SMALL[int(digit)] for digit in whole)  # a telephone number, a code
    else:
        spoken = _whole_words(int(whole))
    if fraction:
        spoken += " point " + " ".join(_SMALL[int(digit)] for digit in fraction)
    return sign + spoken


def _whole_words(value: int) -> str:
    if value < 20:
        return _SMALL[value]
    if value < 100:
        return _joined(_TENS[value // 10], value % 10)
    for size, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if value >= size:
            return _joined(f"{_whole_words(value // size)} {name}", value % size)
    raise AssertionError("unreachable: every value has a size")


def _joined(head: str, rest: int) -> str:
    return f"{head} {_whole_words(rest)}" if rest else head
