"""The end of voice from the level: right to a few milliseconds, and careful where it cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audio.frame import Samples
from audio.voice_end import BLOCK, FURTHEST, VoiceEnd

CLIPS = Path(__file__).parents[1] / "data" / "audio"
RATE = 16_000


def sound(noise: float, voiced: list[tuple[float, float, float]], seconds: float) -> Samples:
    """Room noise with tones of a level from a time to a time."""
    samples = np.random.default_rng(5).normal(0, max(noise, 1e-9), int(seconds * RATE))
    for level, start, end in voiced:
        span = np.arange(int(start * RATE), int(end * RATE))
        samples[span] += level * np.sin(2 * np.pi * 200 * span / RATE)
    return samples.astype(np.float32)


@pytest.mark.parametrize(
    ("noise", "voiced", "end"),
    [
        pytest.param(0.0, [(0.3, 0.2, 1.0)], 1.0, id="digital silence"),
        pytest.param(0.001, [(0.3, 0.2, 1.0)], 1.0, id="quiet room"),
        pytest.param(0.02, [(0.3, 0.2, 1.0)], 1.0, id="noisy room"),
        pytest.param(0.001, [(0.3, 0.2, 1.0), (0.03, 1.0, 1.1)], 1.1, id="soft tail"),
        pytest.param(0.001, [(0.3, 0.2, 0.8), (0.3, 1.0, 1.3)], 1.3, id="two words"),
        pytest.param(
            0.001, [(0.9, 0.2, 0.22), (0.02, 2.0, 2.5)], 2.5, id="soft voice after a knock"
        ),
    ],
)
def test_the_end_is_found(
    noise: float, voiced: list[tuple[float, float, float]], end: float
) -> None:
    follower = VoiceEnd()
    last = follower.push(sound(noise, voiced, end + 0.5))
    assert last / RATE == pytest.approx(end, abs=0.006)


def test_a_fan_that_starts_is_no_voice_for_ever() -> None:
    steady = sound(0.0005, [], 1.0), sound(0.02, [], 12.0)
    follower = VoiceEnd()
    assert follower.push(np.concatenate(steady)) / RATE < 11.0


def test_synthetic_voices_end_where_they_end() -> None:
    clips = json.loads((CLIPS / "clips.json").read_text(encoding="utf-8"))
    errors = []
    for name, clip in clips.items():
        samples, _ = soundfile.read(CLIPS / f"{name}.flac", dtype="float32")
        if clip["said"]:
            errors.append(abs(VoiceEnd().push(samples) - clip["end_of_voice"]) / RATE)
    assert len(errors) >= 15
    assert np.median(errors) <= 0.010 and max(errors) <= 0.080


@given(st.lists(st.integers(0, 500), min_size=1, max_size=20))
def test_chunks_do_not_matter(lengths: list[int]) -> None:
    samples = sound(0.001, [(0.3, 0.05, 0.2)], 1.0)[: sum(lengths)]
    whole, parts = VoiceEnd(), VoiceEnd()
    for chunk in np.split(samples, np.cumsum(lengths)):
        parts.push(chunk)
    assert parts.last_voiced == whole.push(samples)
    assert parts.position == whole.position == len(samples) // BLOCK * BLOCK


@pytest.mark.parametrize(
    ("detector_end", "expected"), [(1000, 1000), (6000, 4000), (4000 + FURTHEST + 80, 4080)]
)
def test_a_detector_is_only_corrected_to_earlier_and_not_far(
    detector_end: int, expected: int
) -> None:
    follower = VoiceEnd()
    follower.push(sound(0.0001, [(0.3, 0.1, 0.25)], 1.0))
    assert follower.last_voiced == pytest.approx(4000, abs=BLOCK)
    assert follower.refined(detector_end) == pytest.approx(expected, abs=BLOCK)
    follower.reset()
    assert follower.last_voiced == follower.position == 0
