"""Short-time spectra of a stream, and the ring that keeps the latest of them by step."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from audio.frame import EMPTY, HEAR_RATE, Samples

STEP = 160  # samples, 10 ms
WINDOW = 512  # samples, 32 ms: long against the step, so that an echo is a sum of earlier steps
LOWEST, HIGHEST = 100.0, 5_600.0  # Hz

Lines: TypeAlias = npt.NDArray[np.complex128]

# Every third line: neighbours tell the same behind this window.
_EVERY = np.fft.rfftfreq(WINDOW, 1 / HEAR_RATE)
_KEPT = np.flatnonzero((_EVERY >= LOWEST) & (_EVERY <= HIGHEST))[::3]
LINES = len(_KEPT)


class Spectra:
    """Spectra [steps, LINES] of a 16 kHz stream, every 10 ms."""

    def __init__(self) -> None:
        self._window = np.hanning(WINDOW)
        self._held = EMPTY

    def push(self, samples: Samples) -> Lines:
        """The spectra that samples [n] complete; step i covers samples [160 i, 160 i + 512)."""
        held = np.concatenate((self._held, samples))
        steps = max(0, (len(held) - WINDOW) // STEP + 1)
        self._held = held[steps * STEP :]
        if not steps:
            return np.zeros((0, LINES), dtype=np.complex128)
        frames = np.lib.stride_tricks.sliding_window_view(held, WINDOW)[: steps * STEP : STEP]
        return np.fft.rfft(frames * self._window)[:, _KEPT]

    def reset(self) -> None:
        """A new stream."""
        self._held = EMPTY


class Recent:
    """The rows of the latest steps, read by step; steps never written or overwritten are zero."""

    def __init__(self, width: int, capacity: int = 256, complex_rows: bool = False) -> None:
        kind = np.complex128 if complex_rows else np.float64
        self._rows = np.zeros((capacity, width), dtype=kind)
        self._steps = np.full(capacity, -1)

    def write(self, step: int, row: npt.NDArray[np.generic]) -> None:
        at = step % len(self._steps)
        self._rows[at], self._steps[at] = row, step

    def read(self, first: int, count: int) -> npt.NDArray[np.generic]:
        """Rows of steps first .. first + count - 1, [count, width]."""
        steps = np.arange(first, first + count)
        at = steps % len(self._steps)
        rows: npt.NDArray[np.generic] = self._rows[at]
        rows[self._steps[at] != steps] = 0
        return rows
