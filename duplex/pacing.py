"""How much of an answer's text belongs to the sound that has been sent (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from models.base import SpokenWord

# What may stand behind a word. Not the star that stands for letters in traces without words: they
# must be replayed as they were recorded.
_MARKS = frozenset(".,;:!?…-–—)]}\"'”’»，。！？；：、）】》」")


def letters_within(text: str, words: Sequence[SpokenWord], sent: int, made: int) -> int:
    """How many letters of `text` belong to the words that begin within `sent` samples at 24 kHz.

    Words that the text does not have in this form (numbers, say) are passed over. Where no word is
    known yet, the text goes in the proportion in which the sound that was made has been sent.
    """
    if not sent:
        return 0
    if not words:
        return len(text) * sent // max(made, sent)
    end = 0
    for word in words:
        if word.start >= sent:
            break
        bare = word.text.strip()
        found = text.find(bare, end) if bare else -1
        if found >= 0:
            end = found + len(bare)
    while 0 < end < len(text) and (text[end].isspace() or text[end] in _MARKS):
        end += 1  # the marks and the space behind a word go with it
    return end
