"""The filter bank: against Kaldi's numbers, by hand-known cases, and streamed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.features import BINS, FLOOR, FilterBank, StreamingFilterBank

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "vita15_tiny_expected.safetensors"
BANK = FilterBank()


def test_equals_kaldi() -> None:
    load = pytest.importorskip("safetensors.numpy").load_file
    if not GOLDEN.exists():
        pytest.skip("the reference outputs are not beside this checkout")
    expected = load(GOLDEN)
    features = BANK(expected["wav_int16"].astype(np.float32).reshape(-1) / 32768)
    assert features.shape == expected["fbank"].shape
    np.testing.assert_allclose(features, expected["fbank"], atol=2e-3)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=10), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_streamed_equals_whole(lengths: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.1, sum(lengths)).astype(np.float32)
    stream = StreamingFilterBank()
    parts = [stream.push(chunk) for chunk in np.split(noise, np.cumsum(lengths))]
    streamed = np.concatenate(parts)
    assert streamed.shape == (max(0, 1 + (len(noise) - 400) // 160), BINS)
    np.testing.assert_allclose(streamed, BANK(noise), atol=1e-4)


@pytest.mark.parametrize("frequency", [200.0, 1000.0, 3000.0, 7000.0])
def test_a_tone_stands_in_its_own_bin(frequency: float) -> None:
    tone = np.sin(2 * np.pi * frequency * np.arange(1600) / 16_000).astype(np.float32)
    mel = 1127 * np.log1p(frequency / 700)
    low, high = 1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700)
    expected = (mel - low) / (high - low) * (BINS + 1) - 1
    assert np.abs(BANK(tone).argmax(axis=1) - expected).max() <= 1.0


def test_silence_and_a_constant_give_the_floor() -> None:
    for level in (0.0, 0.5):
        features = BANK(np.full(800, level, dtype=np.float32))
        np.testing.assert_allclose(features, np.log(FLOOR), atol=1e-4)


def test_double_level_adds_the_logarithm_of_four() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 1600).astype(np.float32)
    np.testing.assert_allclose(BANK(2 * noise) - BANK(noise), np.log(4), atol=1e-4)


def test_a_copy_goes_its_own_way() -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, 1500).astype(np.float32)
    stream = StreamingFilterBank()
    stream.push(noise[:700])
    twin = stream.copy()
    first = stream.push(noise[700:])
    np.testing.assert_array_equal(twin.push(noise[700:]), first)
    stream.reset()
    np.testing.assert_array_equal(stream.push(noise), BANK(noise))
