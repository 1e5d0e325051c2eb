"""Do letters spell Chinese? Nano's letter head writes it as syllables of pinyin without tones."""

from __future__ import annotations

import re

_SYLLABLE = re.compile(
    "(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?"
    "(?:[iu]ang|[aeio]ng|i?ong|ia[no]|ua[ni]|[iu]a|ie|iu|in|ua|uo|ui|un|u?e|a[ion]|e[inr]|ou|[aiouv])"
)
_FEWEST = 2  # words that say enough
_SHARE = 0.75  # of the words; English has some that look like syllables


def looks_like_pinyin(letters: str, fewest: int = _FEWEST) -> bool:
    """Are nearly all words syllables of pinyin, and at least `fewest` there?"""
    words = letters.split()
    fitting = sum(_SYLLABLE.fullmatch(word) is not None for word in words)
    return len(words) >= fewest and fitting >= _SHARE * len(words)
