"""80-bin log-mel filter bank as Kaldi computes it, for a whole recording and for a stream.

Settings: 16 kHz, samples times 32768, 25 ms windows every 10 ms (only those that fit whole), DC
removed, pre-emphasis 0.97, Povey window, 512-point power spectrum, triangles from 20 Hz to the
Nyquist frequency on the mel scale, natural logarithm, no dither.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from audio.frame import EMPTY, Samples

BINS = 80
WINDOW = 400  # samples
STEP = 160  # samples
SPECTRUM = 512
PRE_EMPHASIS = 0.97
LOWEST = 20.0  # Hz
HIGHEST = 8_000.0  # Hz
FLOOR = 1.1920928955078125e-07  # float32's epsilon, which is Kaldi's floor

Features: TypeAlias = npt.NDArray[np.float32]  # [frames, BINS]
_Real: TypeAlias = npt.NDArray[np.float64]


def _mel(frequency: _Real) -> _Real:
    mels: _Real = 1127.0 * np.log1p(frequency / 700.0)
    return mels


def _triangles() -> _Real:
    """Weights of each spectral line in each bin, [SPECTRUM // 2, BINS]; the Nyquist line is out."""
    lowest, highest = _mel(np.array([LOWEST, HIGHEST]))
    edges: _Real = lowest + (highest - lowest) * np.arange(BINS + 2) / (BINS + 1)
    lines = _mel(np.arange(SPECTRUM // 2, dtype=np.float64) * (2 * HIGHEST / SPECTRUM))[:, None]
    rising = (lines - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - lines) / (edges[2:] - edges[1:-1])
    weights: _Real = np.maximum(0.0, np.minimum(rising, falling))
    return weights


class FilterBank:
    """Features of a whole recording, all frames at once."""

    def __init__(self) -> None:
        # Povey's window is a Hann window to the power 0.85: it goes to zero, but less slowly.
        self._window: _Real = np.hanning(WINDOW) ** 0.85
        self._triangles = _triangles()

    def __call__(self, samples: Samples) -> Features:
        """Features [frames, 80] of samples [n] at 16 kHz; 1 + (n - 400) // 160 frames, or none."""
        if len(samples) < WINDOW:
            return np.zeros((0, BINS), dtype=np.float32)
        every = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::STEP]
        windows = every.astype(np.float64) * 32768.0
        windows -= windows.mean(axis=1, keepdims=True)
        before = np.concatenate((windows[:, :1], windows[:, :-1]), axis=1)
        spectrum = np.fft.rfft((windows - PRE_EMPHASIS * before) * self._window, SPECTRUM)
        power = np.abs(spectrum[:, : SPECTRUM // 2]) ** 2
        features: Features = np.log(np.maximum(power @ self._triangles, FLOOR)).astype(np.float32)
        return features


class StreamingFilterBank:
    """The same features, chunk by chunk: a frame leaves as soon as its 25 ms are complete."""

    def __init__(self) -> None:
        self._bank = FilterBank()
        self._held = EMPTY

    def push(self, samples: Samples) -> Features:
        """Features [frames, 80] that samples [n] complete."""
        held = np.concatenate((self._held, samples))
        features = self._bank(held)
        self._held = held[len(features) * STEP :]
        return features

    def reset(self) -> None:
        """Start a new stream."""
        self._held = EMPTY

    def copy(self) -> StreamingFilterBank:
        """A second stream in the same place, for a mark to which one can rewind."""
        twin = StreamingFilterBank.__new__(StreamingFilterBank)
        twin._bank, twin._held = self._bank, self._held
        return twin
