"""The speaker encoder: its bands and vectors against resemblyzer's own, and voices told apart."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio.frame import Samples
from models.base import HEAR_RATE, InstanceFailed, VoicePrint
from models.speaker.encoder import STRETCH, SpeakerModel, stretches
from models.speaker.likeness import LENGTHS_S, VoiceLikeness, length_of
from models.speaker.mel import BANDS, mel_bands

# Made once with resemblyzer 0.1.4's weights in torch and librosa 0.11's bands, from `gliding`.
GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("resemblyzer.json").read_text())


def gliding() -> Samples:
    """Half a second of seven gliding harmonics."""
    n = np.arange(8000) / HEAR_RATE
    tones = [
        np.sin(2 * np.pi * (120 * k * n + 40 * k * n * n)) / k for k in (1, 2, 3, 5, 9, 17, 30)
    ]
    sound: Samples = (sum(tones) * np.hanning(8000) * 0.2).astype(np.float32)
    return sound


@pytest.fixture(scope="module")
def model() -> SpeakerModel:
    return SpeakerModel()


def test_the_bands_are_resemblyzers() -> None:
    bands = mel_bands(gliding())
    assert bands.shape == (51, BANDS)
    np.testing.assert_allclose(bands[GOLDEN["rows"]], GOLDEN["bands"], rtol=1e-4, atol=1e-5)


def test_the_vector_is_resemblyzers_as_far_as_8_bits_go(model: SpeakerModel) -> None:
    found = model.vector_of(mel_bands(gliding()))
    wanted = np.array(GOLDEN["vector"])
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-4)
    assert found @ wanted > 0.99


@pytest.mark.parametrize("seconds", [0.03, 0.2, 1.6, 5.0])
def test_any_length_makes_one_unit_vector(model: SpeakerModel, seconds: float) -> None:
    count = round(seconds * HEAR_RATE)
    print_ = model.measure(np.resize(gliding(), count))
    assert np.linalg.norm(print_.vector) == pytest.approx(1, abs=1e-4)
    assert print_.seconds == pytest.approx(seconds)


def test_silence_is_no_nan(model: SpeakerModel) -> None:
    silence = model.measure(np.zeros(8000, np.float32))
    assert np.isfinite(silence.vector).all()
    assert 0 <= model.likeness(silence, model.measure(gliding())) <= 1


def test_a_louder_voice_is_the_same_vector(model: SpeakerModel) -> None:
    near, far = (model.measure(gliding() * np.float32(gain)) for gain in (2.0, 0.02))
    assert near.vector @ far.vector > 0.999
    assert near.level - far.level == pytest.approx(40, abs=0.1)


def test_stretches_are_as_long_as_it_was_trained_on() -> None:
    found = stretches(np.zeros(2 * STRETCH + 1000, np.float32))
    assert [len(one) for one in found] == [STRETCH, STRETCH]  # the rest says nothing
    assert [len(one) for one in stretches(np.zeros(500, np.float32))] == [500]


async def test_it_works_beside_the_loop(model: SpeakerModel) -> None:
    before = {thread.name for thread in threading.enumerate()}
    assert (await model.embed(gliding())).seconds == 0.5
    assert any(name.startswith("speaker") for name in before | _threads())


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_without_weights_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InstanceFailed, match=r"no speaker\.onnx"):
        SpeakerModel(tmp_path / "speaker.onnx")


def test_a_likeness_is_a_probability_that_falls_with_the_angle() -> None:
    centres = np.zeros((len(LENGTHS_S), 2))
    likeness = VoiceLikeness(centres, np.array([0.0, 4.0, 0.0, 0.0, 0.0, 0.0]))

    def towards(angle: float) -> VoicePrint:
        return VoicePrint(np.array([np.cos(angle), np.sin(angle)], np.float32), 1.0, -20.0)

    chances = [likeness.of(towards(0.0), towards(angle)) for angle in (0.0, 0.5, 1.5, 3.0)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.95 and chances[-1] < 0.05


def test_lengths_are_near_in_proportion() -> None:
    assert [length_of(seconds) for seconds in LENGTHS_S] == list(range(len(LENGTHS_S)))
    assert length_of(0.01) == 0 and length_of(100.0) == len(LENGTHS_S) - 1
