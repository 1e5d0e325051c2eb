"""Chinese in letters: with tones for the synthesiser, without them for the letter head."""

from __future__ import annotations

import re
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

_CHARACTERS = re.compile(r"[\u4e00-\u9fff]")
_PAUSES = str.maketrans("，。？！、：；", ",.?!,,,")


def is_chinese(text: str) -> bool:
    """Whether any Chinese character is in it."""
    return _CHARACTERS.search(text) is not None


@lru_cache(maxsize=20_000)
def toned(text: str) -> str:
    """For the synthesiser: "你好" as "ni2 hao3", with commas where it pauses."""
    syllables = lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True)
    return " ".join(syllable.translate(_PAUSES) for syllable in syllables).replace(" ,", ",")


@lru_cache(maxsize=20_000)
def spelled(text: str) -> str:
    """For the letters: "你好" as "ni hao"; other texts as they are."""
    if not is_chinese(text):
        return text
    joined = " ".join(lazy_pinyin(text, style=Style.NORMAL))
    return re.sub(r"[^a-z']+", " ", joined.lower()).strip()


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
