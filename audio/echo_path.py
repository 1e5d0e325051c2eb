"""The way from our loudspeaker into the microphone: learned, to tell what of a sound it explains.

In each spectral line the echo is a weighted sum of the last steps of our output (a convolution
seen through the short-time transform). Recursive least squares learns the weights within some
100 ms of echo; a voice on top is not correlated with our output and moves them little.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audio.spectra import LINES, Lines

TAPS = 12  # steps of 10 ms that one sound of ours is looked for
EARLY = 2  # of them before the believed delay
MEMORY = 0.998  # forgetting a step: about 5 s
START = 10.0  # uncertainty of a new path
MOST = 1e3  # uncertainty never grows beyond, in silence
QUIET = 1e-4  # mean power of our output below which nothing can be learned


class EchoPath:
    """Predicts the microphone from our output; what is left over is not ours."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget the path: the delay has changed."""
        self._weights = np.zeros((LINES, TAPS), dtype=np.complex128)
        self._spread = np.tile(np.eye(TAPS, dtype=np.complex128) * START, (LINES, 1, 1))
        self.learned = 0  # steps

    def loosen(self) -> None:
        """The path may have moved (a new answer): learn fast again, keep what is known."""
        self._spread += np.eye(TAPS) * START * 0.1

    def explain(self, output: Lines, heard: Lines) -> tuple[Lines, Lines]:
        """What of `heard` [LINES] is echo of `output` [TAPS, LINES] (the latest step first), and
        what is left, both [LINES]; then learns from it."""
        sources = output.T  # [LINES, TAPS]
        echo = np.einsum("lt,lt->l", self._weights, sources)
        left = heard - echo
        if float(np.square(np.abs(sources)).mean()) > QUIET:
            self._learn(sources, left)
        return echo, left

    def _learn(self, sources: npt.NDArray[np.complex128], left: Lines) -> None:
        toward = np.einsum("lij,lj->li", self._spread, sources.conj())
        scale = MEMORY + np.einsum("lt,lt->l", sources, toward).real
        gain = toward / scale[:, None]
        self._weights += gain * left[:, None]
        self._spread -= gain[:, :, None] * toward.conj()[:, None, :]
        self._spread /= MEMORY
        size = np.einsum("lii->l", self._spread).real
        too_wide = size > MOST * TAPS
        self._spread[too_wide] *= (MOST * TAPS / size[too_wide])[:, None, None]
        self.learned += 1
