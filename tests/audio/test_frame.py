"""Frames know their time from their index; framing and PCM lose and invent nothing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.frame import AudioFrame, to_samples, to_seconds
from audio.framer import Framer
from audio.pcm import Pcm16Reader, decode_pcm16, encode_pcm16

CHUNKS = st.lists(st.integers(0, 1500), max_size=12)


@pytest.mark.parametrize(
    ("index", "rate", "length", "start", "end"),
    [
        (0, 16_000, 320, 0.0, 0.02),
        (5, 8_000, 160, 0.1, 0.12),
        (180_000, 24_000, 480, 3600, 3600.02),
    ],
)
def test_time_is_exact_from_the_index(
    index: int, rate: int, length: int, start: float, end: float
) -> None:
    frame = AudioFrame(index, np.zeros(length, dtype=np.float32), rate)
    assert frame.start == start
    assert frame.end == pytest.approx(end, abs=1e-12)
    assert to_samples(to_seconds(length, rate), rate) == length


@given(CHUNKS)
def test_frames_hold_every_sample_once(lengths: list[int]) -> None:
    framer = Framer(16_000, 0.02)
    source = np.arange(sum(lengths), dtype=np.float32)
    frames = [f for chunk in np.split(source, np.cumsum(lengths)) for f in framer.push(chunk)]
    waiting = framer.waiting
    last = framer.flush()
    frames += [last] if last else []
    joined = np.concatenate([f.samples for f in frames]) if frames else source
    assert [f.index for f in frames] == list(range(len(frames)))
    assert all(len(f.samples) == 320 for f in frames)
    assert np.array_equal(joined[: len(source)], source)
    assert not joined[len(source) :].any()
    assert waiting == len(source) % 320
    assert framer.flush() is None


def test_a_frame_keeps_its_sound_when_the_buffer_is_reused() -> None:
    framer, buffer = Framer(16_000, 0.02), np.ones(330, dtype=np.float32)
    (first,) = framer.push(buffer)
    buffer[:] = 7.0
    (second,) = framer.push(np.zeros(310, dtype=np.float32))
    assert first.samples.max() == 1.0
    assert second.samples[:10].tolist() == [1.0] * 10


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        Framer(8_000, 0.00001)


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
