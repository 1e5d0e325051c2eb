"""Words of an answer leave with their sound, or behind it where they are known later."""

from __future__ import annotations

import numpy as np

from duplex.playout import PlayoutBuffer
from models.base import SpokenWord

SOUND = np.zeros(2_400, np.float32)


def test_each_word_leaves_once_and_none_is_lost() -> None:
    buffer = PlayoutBuffer()
    early, late, next_one = (
        SpokenWord(w, at, at + 900) for w, at in (("a", 0), ("b", 1000), ("c", 2500))
    )
    buffer.add(SOUND, (early,))
    assert buffer.take_words(1200) == (early,)
    buffer.add(SOUND[:0], (late, next_one))  # known when its sound has left
    assert buffer.take_words(2400) == (late,)
    buffer.add(SOUND, ())
    assert len(buffer.take(3_000)) == 3_000
    assert buffer.take_words(4800) == (next_one,)
