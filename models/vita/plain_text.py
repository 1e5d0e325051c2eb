"""Words of users, clients and tools as token ids, without markup and no more than fits.

The work is linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tokenizers import Tokenizer


class PlainText:
    """Encodes words in which no special token is special.

    `special`: how the special tokens are written. `capacity`: tokens of one stream, of which one
    text takes half at most; what is longer is cut before it is tokenised. None: nothing is cut.
    """

    def __init__(
        self, tokenizer: Tokenizer, special: Iterable[str], capacity: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._special = tuple(special)
        self._longest = max(map(len, tokenizer.get_vocab()))  # letters of one token
        self.room = None if capacity is None else capacity // 2

    def encode(self, text: str, room: int | None = None) -> list[int]:
        """At most `room` ids (None: as many as one text may have)."""
        most = self.room if room is None else room
        if most is not None:
            text = text[: most * self._longest]
        plain = without_markup(text, self._special)
        ids: list[int] = self._tokenizer.encode(plain, add_special_tokens=False).ids
        return ids[:most]


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
