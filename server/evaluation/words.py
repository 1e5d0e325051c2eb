"""How well words were read: the fewest changes that make one text of the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.vita.mandarin import written_in_chinese
from models.vita.spoken_form import spoken_form


@dataclass(frozen=True, slots=True)
class ReadingErrors:
    """`wrong` words (characters of Chinese) to be changed, added or left out, of those `said`."""

    wrong: int
    said: int


def word_errors(said: str, read: str) -> ReadingErrors:
    """Small letters, numbers in words, no marks; Chinese character by character."""
    wanted, given = _pieces(said), _pieces(read)
    return ReadingErrors(_distance(wanted, given), len(wanted))


def _pieces(text: str) -> list[str]:
    if written_in_chinese(text):
        return [sign for sign in text if sign.isalnum()]
    return spoken_form(text).split()


def _distance(wanted: Sequence[str], given: Sequence[str]) -> int:
    """Levenshtein's."""
    before = list(range(len(given) + 1))
    for row, piece in enumerate(wanted, 1):
        now = [row]
        for column, other in enumerate(given, 1):
            changed = before[column - 1] + (piece != other)
            now.append(min(before[column] + 1, now[-1] + 1, changed))
        before = now
    return before[-1]
