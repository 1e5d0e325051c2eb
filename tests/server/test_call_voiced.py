"""Voiced bounds by energy: known sounds in known rooms."""

from __future__ import annotations

import numpy as np
import pytest

from audio.frame import Samples
from server.call.voiced import Span, audible_bounds, bounds, merged, voiced_spans

RATE = 16_000


def tone(seconds: float, level: float) -> Samples:
    steps = np.arange(round(seconds * RATE)) / RATE
    return (10 ** (level / 20) * np.sin(2 * np.pi * 220 * steps)).astype(np.float32)


def room(seconds: float, level: float = -60.0) -> Samples:
    noise = np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return (noise * 10 ** (level / 20)).astype(np.float32)


@pytest.mark.parametrize("floor", [-120.0, -70.0, -45.0])
def test_speech_in_a_room_is_bounded_within_one_step(floor: float) -> None:
    samples = np.concatenate((room(1, floor), tone(0.7, -12), room(2, floor)))
    found = bounds(samples, RATE)
    assert found is not None
    assert found.start == pytest.approx(1.0, abs=0.011)
    assert found.end == pytest.approx(1.7, abs=0.011)


def test_a_click_far_from_speech_is_no_voice() -> None:
    samples = np.concatenate((tone(0.5, -12), room(1, -60), tone(0.02, -12), room(0.5, -60)))
    found = bounds(samples, RATE)
    assert found is not None
    assert found.end == pytest.approx(0.5, abs=0.011)


def test_soft_sounds_count_only_next_to_speech() -> None:
    parts = (tone(0.5, -12), room(0.05, -70), tone(0.2, -38), room(0.6, -70), tone(0.4, -38))
    found = bounds(np.concatenate((*parts, room(0.5, -70))), RATE)
    assert found is not None
    assert found.end == pytest.approx(0.75, abs=0.011)


def test_steady_noise_is_voiced_nearly_throughout() -> None:
    found = bounds(room(2, -30), RATE)
    assert found is not None
    assert found.seconds > 1.9


@pytest.mark.parametrize(("gap", "count"), [(0.08, 2), (0.3, 1)])
def test_gaps_part_spans_only_from_their_length_on(gap: float, count: int) -> None:
    samples = np.concatenate((tone(0.4, -12), room(0.2), tone(0.4, -12)))
    assert len(voiced_spans(samples, RATE, gap=gap)) == count


def test_silence_has_no_bounds() -> None:
    silent = np.zeros(RATE, dtype=np.float32)
    assert bounds(silent, RATE) is None
    assert audible_bounds(silent) is None
    assert bounds(silent[:0], RATE) is None


def test_audible_bounds_count_samples() -> None:
    samples = np.zeros(100, dtype=np.float32)
    samples[[10, 60]] = 0.1, -0.1
    samples[5] = 0.001
    assert audible_bounds(samples) == (10, 61)


def test_merged_joins_touching_spans() -> None:
    spans = [Span(0, 1), Span(1.1, 2), Span(3, 4)]
    assert merged(spans, 0.2) == (Span(0, 2), Span(3, 4))
