"""The duck: sample-exact, bit-equal outside, no sample lost or doubled, no click."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.gain import Ducker
from audio.pcm import decode_pcm16, encode_pcm16

RATE, RAMP = 24_000, 240
FLOOR = 10 ** (-18 / 20)


def test_ramps_take_ten_milliseconds_each_way() -> None:
    ducker, ones = Ducker(RATE), np.ones(480, dtype=np.float32)
    assert ducker.process(ones) is ones
    ducker.duck()
    down = ducker.process(ones)
    ducker.restore()
    up = ducker.process(ones)
    assert down[RAMP - 2] > FLOOR + 1e-4
    np.testing.assert_allclose(down[RAMP - 1 :], FLOOR, rtol=1e-6)
    assert up[RAMP - 2] < 1.0 and up[RAMP - 1] == 1.0
    assert ducker.is_full and ducker.gain == 1.0
    assert ducker.process(ones) is ones


def test_a_duck_that_is_taken_back_turns_round_where_it_is() -> None:
    ducker, ones = Ducker(RATE), np.ones(100, dtype=np.float32)
    ducker.duck()
    down = ducker.process(ones)
    ducker.restore()
    up = ducker.process(ones)
    np.testing.assert_allclose(up[:-1], down[-2::-1], atol=1e-6)
    assert up[-1] == 1.0


def test_reset_is_full_gain_at_once() -> None:
    ducker = Ducker(RATE)
    ducker.duck()
    ducker.process(np.ones(480, dtype=np.float32))
    ducker.reset()
    assert ducker.is_full


@given(
    st.lists(st.tuples(st.sampled_from(["duck", "restore", ""]), st.integers(0, 900)), max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_any_duck_is_the_input_times_its_gain(steps: list[tuple[str, int]], seed: int) -> None:
    ducker, generator = Ducker(RATE), np.random.default_rng(seed)
    gain = 1.0
    for what, length in steps:
        if what:
            getattr(ducker, what)()
        sound = generator.integers(-32768, 32768, length).astype("<i2").tobytes()
        samples = decode_pcm16(sound)
        untouched = ducker.is_full
        made = ducker.process(samples)
        assert len(made) == length
        assert not untouched or encode_pcm16(made) == sound
        gains = made[samples != 0] / samples[samples != 0]
        assert not len(gains) or np.abs(np.diff(gains, prepend=gain)).max() < 0.012
        assert not len(gains) or (gains.min() >= FLOOR - 1e-6 and gains.max() <= 1.0)
        gain = ducker.gain


def test_a_duck_lowers() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Ducker(RATE, decibels=3.0)
