"""The recording keeps the newest samples under their own positions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audio.recent import RecentAudio


@given(
    capacity=st.integers(1, 50),
    sizes=st.lists(st.integers(0, 70), max_size=8),
    start=st.integers(0, 300),
    length=st.integers(0, 100),
)
def test_a_slice_is_what_was_appended_there(
    capacity: int, sizes: list[int], start: int, length: int
) -> None:
    recent, whole = RecentAudio(capacity), np.zeros(0, np.float32)
    for size in sizes:
        piece = np.arange(len(whole), len(whole) + size, dtype=np.float32)
        recent.append(piece)
        whole = np.concatenate([whole, piece])
    kept = whole[max(start, len(whole) - capacity) : start + length]
    assert recent.end == len(whole)
    assert np.array_equal(recent.slice(start, start + length), kept)
