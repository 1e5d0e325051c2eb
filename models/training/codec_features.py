"""From samples to the acoustic features that the codec quantises (WORLD analysis)."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from models.base import SPEAK_RATE, Samples
from models.vita.vocoder import BANDS, FEATURES, FRAMES_PER_CODE, HOP, band_places

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks setuptools for its own version
    import pyworld

_PERIOD = 1000 * HOP / SPEAK_RATE  # milliseconds
PITCHES = (110.0, 350.0)  # hertz: the range of the English teacher's voice
_QUIET = 1e-9  # power floor of the envelope: digital silence has no logarithm


def analyse(samples: Samples, pitches: tuple[float, float] = PITCHES) -> npt.NDArray[np.float32]:
    """Samples [n] at 24 kHz -> features [m, FEATURES], m a whole number of codes. `pitches`:
    the lowest and the highest that the voice may have, in hertz.

    Frame k is centred in its HOP samples. Pitch goes on in a straight line where there is no
    voice, so that it has a value everywhere.
    """
    frames = len(samples) // (HOP * FRAMES_PER_CODE) * FRAMES_PER_CODE
    late = np.concatenate((samples[HOP // 2 :], np.zeros(HOP))).astype(np.float64)
    late += np.random.default_rng(0).standard_normal(len(late)) * 1e-5
    rough, times = pyworld.dio(late, SPEAK_RATE, *pitches, frame_period=_PERIOD)
    pitch = pyworld.stonemask(late, rough, times, SPEAK_RATE)
    envelope = pyworld.cheaptrick(
        late, pitch, times, SPEAK_RATE, f0_floor=pitches[0], fft_size=1024
    )
    aperiodicity = pyworld.d4c(late, pitch, times, SPEAK_RATE, fft_size=1024)
    out = np.empty((frames, FEATURES), np.float32)
    places = band_places()
    bins = np.arange(envelope.shape[1])
    for index in range(frames):
        power = np.log(np.maximum(envelope[index], _QUIET))
        out[index, :BANDS] = np.interp(places, bins, power)
    bands = pyworld.code_aperiodicity(aperiodicity, SPEAK_RATE)[:frames]  # decibels
    out[:, BANDS:-2] = bands[:, : FEATURES - 2 - BANDS] * (np.log(10) / 10)
    out[:, -2], out[:, -1] = _continuous(pitch[:frames]), pitch[:frames] > 0
    return out


def _continuous(pitch: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log2 of the pitch, in a straight line across what is unvoiced."""
    voiced = np.flatnonzero(pitch)
    if not len(voiced):
        return np.full(len(pitch), np.log2(200.0))
    return np.interp(np.arange(len(pitch)), voiced, np.log2(pitch[voiced]))
