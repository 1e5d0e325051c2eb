"""Words of users, clients and tools as token ids, without markup and no more than fits.

The work is linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from tokenizers import Tokenizer


class PlainText:
    """Encodes words in which no special token is special.

    `special`: how the special tokens are written. `room`: tokens that one text takes at most; what
    is longer is cut before it is tokenised. None: nothing is cut.
    """

    def __init__(
        self, tokenizer: Tokenizer, special: Iterable[str], room: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._special = tuple(special)
        self._longest = max(map(len, tokenizer.get_vocab()))  # letters of one token
        self.room = room

    def encode(self, text: str, room: int | None = None) -> list[int]:
        """At most `room` ids (None: as many as one text may have)."""
        most = self.room if room is None else room
        ids: list[int] = self._encoded(text, most).ids
        return ids[:most]

    def cut(self, text: str, room: int | None = None) -> str:
        """The beginning of a text that `encode` reads; the text itself where that is all of it."""
        most = self.room if room is None else room
        if most is None:
            return text
        encoded = self._encoded(text, most)
        plain = without_markup(text[: most * self._longest], self._special)
        if len(encoded.ids) > most:
            # The first id that is left out begins there, or inside of the last letter before it.
            return plain[: encoded.offsets[most][0]]
        return text if len(text) <= most * self._longest else plain

    def _encoded(self, text: str, most: int | None) -> Any:
        if most is not None:
            text = text[: most * self._longest]
        plain = without_markup(text, self._special)
        return self._tokenizer.encode(plain, add_special_tokens=False)


def without_markup(text: str, special: Collection[str]) -> str:
    """The text with none of these strings in it, not even one that was joined by taking out
    another."""
    if not any(name in text for name in special):
        return text
    by_end: dict[str, list[str]] = {}
    for name in special:
        by_end.setdefault(name[-1], []).append(name)
    longest = max(map(len, special))
    kept: list[str] = []
    for letter in text:
        kept.append(letter)
        if letter in by_end:
            tail = "".join(kept[-longest:])
            found = next((name for name in by_end[letter] if tail.endswith(name)), "")
            if found:
                del kept[-len(found) :]
    return "".join(kept)
