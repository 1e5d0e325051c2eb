"""PCM loses and invents nothing, wherever its bytes are cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.pcm import Pcm16Reader, decode_pcm16, encode_pcm16


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=8))
def test_bytes_may_be_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    reader = Pcm16Reader()
    edges = [0, *sorted(cuts), len(data)]
    parts = [reader.push(data[a:b]) for a, b in pairwise(edges)]
    whole = data[: len(data) // 2 * 2]
    assert encode_pcm16(np.concatenate(parts)) == whole


def test_a_cleared_reader_forgets_half_a_sample() -> None:
    reader = Pcm16Reader()
    assert len(reader.push(b"\x01")) == 0
    reader.reset()
    assert reader.push(b"\x00\x40").tolist() == [0.5]


@pytest.mark.parametrize(
    ("value", "expected"), [(1.5, 32767), (-1.5, -32768), (0.0, 0), (0.5, 16384), (1e-6, 0)]
)
def test_loud_samples_are_clipped(value: float, expected: int) -> None:
    data = encode_pcm16(np.array([value], dtype=np.float32))
    assert int.from_bytes(data, "little", signed=True) == expected


def test_odd_bytes_are_an_error_where_nothing_can_carry_them() -> None:
    with pytest.raises(ValueError):
        decode_pcm16(b"abc")
