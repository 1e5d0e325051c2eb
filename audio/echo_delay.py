"""How long our output takes to come back: the delay at which its pattern fits the microphone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from audio.spectra import LINES, Lines, Recent

LAGS = 61  # steps of 10 ms: delays of 0 to 600 ms
PATTERN = 12  # steps that are compared at a time
BANDS = 20
RANGE = 45.0  # dB below the recent peak that a pattern reaches
PEAK_FALL = 0.02  # dB a step
MEMORY = 40  # active steps over which likeness is averaged
ENOUGH = 16  # active steps before a delay may be believed
FITS = 0.6  # mean likeness from which a delay is believed
BETTER = 0.15  # by how much another delay must fit better to take its place

_Real: TypeAlias = npt.NDArray[np.float64]


def _band_matrix() -> _Real:
    """Mean over the lines of each band, [LINES, BANDS]; bands grow with frequency."""
    edges = np.unique(np.round(LINES * np.expm1(np.linspace(0, 2.2, BANDS + 1)) / np.expm1(2.2)))
    line = np.arange(LINES)[:, None]
    inside = ((line >= edges[:-1]) & (line < edges[1:])).astype(np.float64)
    matrix: _Real = inside / inside.sum(axis=0)
    return matrix


_BAND_MATRIX = _band_matrix()


class _Levels:
    """Band levels of the latest steps, in dB; read down to RANGE below their recent peak."""

    def __init__(self) -> None:
        self._rows = Recent(_BAND_MATRIX.shape[1])
        self.peak = -120.0

    def write(self, step: int, spectrum: Lines) -> _Real:
        power = np.square(np.abs(spectrum)) @ _BAND_MATRIX
        levels: _Real = 10.0 * np.log10(power + 1e-12) + 120.0
        self.peak = max(self.peak - PEAK_FALL, float(levels.max()))
        self._rows.write(step, levels)
        return levels

    def read(self, step: int, count: int) -> _Real:
        """The `count` rows up to a step, [count, bands], from 0 at the bottom."""
        rows = self._rows.read(step - count + 1, count).astype(np.float64)
        return np.maximum(rows - (self.peak - RANGE), 0.0)


class DelayFinder:
    """Compares the microphone's last 120 ms with our output at every delay."""

    def __init__(self) -> None:
        width = _BAND_MATRIX.shape[1]
        self._output, self._microphone = _Levels(), _Levels()
        self._usual = np.zeros(width)  # mean levels of our output: what all speech has in common
        self._seen = 0
        self._fit = np.zeros(LAGS)
        self.active = 0  # steps with sound on both sides
        self.likeness = np.zeros(LAGS)  # of the last step, for each delay, -1..1
        self.delay: int | None = None  # in steps

    def played(self, step: int, spectrum: Lines) -> None:
        """Our output at a step."""
        levels = self._output.write(step, spectrum) - (self._output.peak - RANGE)
        if levels.max() > RANGE / 2:
            self._seen += 1
            levels = np.maximum(levels, 0.0)
            self._usual += (levels - self._usual) / min(self._seen, 300)

    def heard(self, step: int, spectrum: Lines, voiced: bool) -> bool:
        """The microphone at a step; `voiced`: well above its noise. True if the delay moved."""
        self._microphone.write(step, spectrum)
        self.likeness = self._compare(step)
        if not voiced or not self.likeness.any():
            return False
        self.active += 1
        self._fit += (self.likeness - self._fit) / min(self.active, MEMORY)
        return self._choose()

    def doubt(self) -> None:
        """The believed delay may have moved (a new answer): look everywhere again."""
        if self.delay is not None:
            self.active = 0
            self._fit[:] = 0.0

    @property
    def settled(self) -> bool:
        """A delay is believed, and has been checked since the last doubt."""
        return self.delay is not None and self.active >= ENOUGH

    @property
    def best(self) -> float:
        """Likeness of the last step at the settled delay, or at the best one before that."""
        if self.delay is None or not self.settled:
            return float(self.likeness.max())
        return float(self.likeness[max(0, self.delay - 1) : self.delay + 2].max())

    def _compare(self, step: int) -> _Real:
        """Correlation over time and bands for each delay, [LAGS]."""
        reach = LAGS - 1 + PATTERN
        output = self._output.read(step, reach)
        heard = self._microphone.read(step, PATTERN)
        if not output.any():
            return np.zeros(LAGS)
        pattern = (heard - self._usual).ravel()
        pattern -= pattern.mean()
        flat, count = (output - self._usual).ravel(), pattern.size
        starts = np.lib.stride_tricks.sliding_window_view(flat, count)[:: output.shape[1]]
        covered = starts @ pattern
        means = starts.mean(axis=1)
        spread = np.einsum("ij,ij->i", starts, starts) - count * means**2
        scale = np.sqrt(np.maximum(spread, 1.0) * max(float(pattern @ pattern), 1.0))
        # Sliding forward in time goes from the longest delay to none.
        likeness: _Real = (covered / scale)[::-1]
        return likeness

    def _choose(self) -> bool:
        best = int(self._fit.argmax())
        if self.active < ENOUGH or self._fit[best] < FITS or best == self.delay:
            return False
        if self.delay is not None:
            near = abs(best - self.delay) <= 2
            if near or self._fit[best] < self._fit[self.delay] + BETTER:
                return False
        self.delay = best
        return True
