"""Samples from features: the right pitch and level, and the same in any portions."""

import numpy as np
import numpy.typing as npt
import pytest

from models.base import SPEAK_RATE
from models.vita.vocoder import BANDS, FEATURES, HOP, PITCH, VOICING, Vocoder


def features(count: int, pitch: float, voiced: bool, power: float) -> npt.NDArray[np.float32]:
    out = np.zeros((count, FEATURES), np.float32)
    out[:, :BANDS] = np.log(power)
    out[:, BANDS:PITCH] = -9.0  # hardly any noise in the voice
    out[:, PITCH], out[:, VOICING] = np.log2(pitch), voiced
    return out


@pytest.mark.parametrize("pitch", [110.0, 187.3, 320.0])
def test_a_voice_has_its_pitch(pitch: float) -> None:
    sound = Vocoder().feed(features(240, pitch, True, 1e-5))
    spectrum = np.abs(np.fft.rfft(sound[4096 : 4096 + 32768] * np.hanning(32768)))
    hertz = np.arange(len(spectrum)) * SPEAK_RATE / 32768
    lowest = hertz[(hertz > 60) & (hertz < 400)][np.argmax(spectrum[(hertz > 60) & (hertz < 400)])]
    ratio = lowest / pitch
    assert ratio == pytest.approx(round(ratio), abs=0.01)


@pytest.mark.parametrize("voiced", [True, False])
def test_power_is_that_of_the_envelope(voiced: bool) -> None:
    sound = Vocoder().feed(features(300, 200.0, voiced, 1e-4))
    assert np.mean(sound[4800:] ** 2) == pytest.approx(1e-4, rel=0.15)


@pytest.mark.parametrize("portion", [1, 3, 7])
def test_portions_do_not_matter(portion: int) -> None:
    frames = np.concatenate(
        [features(20, 150.0 + 9 * index, index % 3 > 0, 1e-4) for index in range(6)]
    )
    whole = Vocoder(seed=5).feed(frames)
    vocoder = Vocoder(seed=5)
    parts = [vocoder.feed(frames[at : at + portion]) for at in range(0, len(frames), portion)]
    assert len(whole) == len(frames) * HOP
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_no_frames_no_sound() -> None:
    assert len(Vocoder().feed(np.zeros((0, FEATURES), np.float32))) == 0
