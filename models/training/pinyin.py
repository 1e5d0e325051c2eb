"""Chinese in letters: with tones for the synthesiser, without them for the letter head."""

from __future__ import annotations

import re
from functools import lru_cache

from models.vita.mandarin import HAN, readings, written_in_chinese

_CHARACTERS = re.compile(f"[{HAN}]")
is_chinese = written_in_chinese


@lru_cache(maxsize=20_000)
def toned(text: str) -> str:
    """For the synthesiser: "你好" as "ni2 hao3", commas for pauses; other texts unchanged."""
    if not is_chinese(text):
        return text
    return re.sub(r"(?<=\w)(?=[.?!])", " ", " ".join(said for _, said in readings(text)))


@lru_cache(maxsize=20_000)
def spelled(text: str) -> str:
    """For the letters: "你好" as "ni hao"; other texts as they are."""
    if not is_chinese(text):
        return text
    return re.sub(r"[^a-z']+", " ", toned(text).lower()).strip()


@lru_cache(maxsize=20_000)
def words_of(text: str) -> tuple[str, ...]:
    """The pieces that are over one after the other: words, or characters of Chinese."""
    return tuple(_CHARACTERS.findall(text)) if is_chinese(text) else tuple(text.split())


@lru_cache(maxsize=20_000)
def piece_texts(text: str) -> tuple[str, ...]:
    """`words_of` as they stand inside a text: English words but the first with their space."""
    words = words_of(text)
    return words if is_chinese(text) else (*words[:1], *(f" {word}" for word in words[1:]))


def parted(text: str, random_share: float) -> str:
    """About that share of a text's words or characters, at least one and not all."""
    words = words_of(text)
    count = max(1, min(len(words) - 1, round(len(words) * random_share)))
    return ("" if is_chinese(text) else " ").join(words[:count])
