"""Streaming resampling: no seams, no drift, little delay, and as right as soxr in the band."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.frame import Samples
from audio.resample import Resampler, resample

RATES = [8_000, 16_000, 24_000, 48_000]
PAIRS = [(a, b) for a in RATES for b in RATES if a != b] + [(44_100, 16_000)]


def tone(frequency: float, rate: int, seconds: float = 0.5) -> Samples:
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def convert(samples: Samples, source: int, target: int) -> Samples:
    resampler = Resampler(source, target)
    return np.concatenate((resampler.push(samples), resampler.flush()))


@given(
    st.sampled_from(PAIRS),
    st.lists(st.integers(0, 700), min_size=1, max_size=10),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_chunked_equals_one_shot(pair: tuple[int, int], lengths: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-1, 1, sum(lengths)).astype(np.float32)
    resampler = Resampler(*pair)
    parts = [resampler.push(chunk) for chunk in np.split(noise, np.cumsum(lengths))]
    chunked = np.concatenate([*parts, resampler.flush()])
    whole = convert(noise, *pair)
    assert len(chunked) == len(whole) == -(-len(noise) * pair[1] // pair[0])
    np.testing.assert_allclose(chunked, whole, atol=1e-6)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_in_the_band_keeps_its_level_and_place(source: int, target: int) -> None:
    frequency = 0.8 * min(source, target) / 2
    made, edge = convert(tone(frequency, source), source, target), target // 50
    np.testing.assert_allclose(made[edge:-edge], tone(frequency, target)[edge:-edge], atol=2e-3)


@pytest.mark.parametrize(("source", "target"), [p for p in PAIRS if p[0] > p[1]])
def test_what_the_lower_rate_cannot_hold_is_gone(source: int, target: int) -> None:
    made, edge = convert(tone(1.1 * target / 2, source), source, target), target // 50
    assert np.abs(made[edge:-edge]).max() < 2e-3  # -54 dB or better


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_delay_is_a_few_milliseconds_and_told(source: int, target: int) -> None:
    resampler, made = Resampler(source, target), 0
    for chunk in range(1, 51):
        made += len(resampler.push(np.zeros(source // 50, dtype=np.float32)))
        behind = chunk / 50 - made / target
        assert behind <= resampler.delay + 1.5 / target
    assert resampler.delay <= 0.0041


@pytest.mark.parametrize(("source", "target"), [(24_000, 16_000), (8_000, 24_000)])
def test_agrees_with_soxr(source: int, target: int) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, source).astype(np.float32)
    # Only the band that both pass: take off what either filter's edge treats in its own way.
    smooth = np.convolve(noise, np.hanning(33) / np.hanning(33).sum(), "same").astype(np.float32)
    np.testing.assert_allclose(
        convert(smooth, source, target)[100:-100],
        resample(smooth, source, target)[100:-100],
        atol=1e-4,
    )


def test_the_same_rate_is_the_same_sound() -> None:
    samples = tone(440, 16_000)
    resampler = Resampler(16_000, 16_000)
    assert resampler.push(samples) is samples
    assert len(resampler.flush()) == 0 and resampler.delay == 0
    assert resample(samples, 16_000, 16_000) is samples


def test_rates_are_checked() -> None:
    with pytest.raises(ValueError, match="cannot resample"):
        Resampler(0, 16_000)
