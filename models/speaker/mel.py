"""models.speaker: the 40 mel bands that the speaker encoder hears.

Source: resemblyzer 0.1.4 (Apache-2.0), `audio.wav_to_mel_spectrogram`, which calls
librosa.feature.melspectrogram: frames of 25 ms every 10 ms, centred, padded with zeros; a periodic
Hann window; power; Slaney's mel scale and area norm. There is no logarithm.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from models.base import HEAR_RATE, Samples

FRAME = 400  # samples, 25 ms
STEP = 160  # samples, 10 ms
BANDS = 40
_LINEAR_HZ = 200.0 / 3  # of one mel, below the break
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27.0  # of one mel, above the break

Mels = npt.NDArray[np.float32]  # [frames, BANDS]


def mel_bands(samples: Samples) -> Mels:
    """Samples [n] at 16 kHz -> power in mel bands [1 + n // STEP, BANDS]."""
    padded = np.pad(samples, FRAME // 2)
    count = 1 + len(samples) // STEP
    windows = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP][:count]
    power = np.abs(np.fft.rfft(windows * _hann(), axis=1)) ** 2
    bands: Mels = (power @ _filters().T).astype(np.float32)
    return bands


@cache
def _hann() -> npt.NDArray[np.float64]:
    turns: npt.NDArray[np.float64] = np.arange(FRAME) / FRAME
    return 0.5 - 0.5 * np.cos(2 * np.pi * turns)


@cache
def _filters() -> npt.NDArray[np.float64]:
    """Triangles over the frequencies of a frame [BANDS, FRAME // 2 + 1], each of area one."""
    bins = np.fft.rfftfreq(FRAME, 1 / HEAR_RATE)
    edges = _hertz(np.linspace(0.0, _mel(HEAR_RATE / 2), BANDS + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: npt.NDArray[np.float64] = triangles * (2.0 / (high - low))
    return filters


def _mel(hertz: float) -> float:
    """For frequencies above the break."""
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HZ) / _LOG_STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, _LINEAR_HZ * mels, above)
