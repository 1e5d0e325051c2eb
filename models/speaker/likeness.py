"""models.speaker: from two voice prints to the probability that they are one speaker's.

A logistic regression on how alike the vectors are, how much was heard, and how much softer or
louder it is. The vectors are centred first, by how much was heard. Fitted by
`python -m models.training likeness`; MODEL_CARD.md says on what, and how well it does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.base import VoicePrint

FITTED = Path(__file__).with_name("likeness.npz")
# Seconds of voice for which there is a centre of its own.
LENGTHS_S = (0.22, 0.32, 0.42, 0.52, 0.7, 1.0, 1.6, 4.8)
_MIDDLE_S, _LONGEST_S = 0.5, 1.6
_LEVELS_DB = 10.0  # so many are one unit
Array = npt.NDArray[np.float64]


class VoiceLikeness:
    """`centres` [len(LENGTHS_S), width] are means of vectors; `weights` [6] those of `features`."""

    def __init__(self, centres: Array, weights: Array) -> None:
        self._centres, self._weights = centres, weights

    @classmethod
    def load(cls, path: Path = FITTED) -> VoiceLikeness:
        """Raises OSError, ValueError or KeyError for what is no such file."""
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["centres"].astype(np.float64), kept["weights"].astype(np.float64))

    def of(self, known: VoicePrint, heard: VoicePrint) -> float:
        """The probability that both are one speaker."""
        evidence = float(features(self._centres, known, heard) @ self._weights)
        return float(1 / (1 + np.exp(-evidence)))


def features(centres: Array, known: VoicePrint, heard: VoicePrint) -> Array:
    """What the regression is told of a pair, [6]."""
    alike = float(_centred(centres, known) @ _centred(centres, heard))
    length = float(np.log(min(heard.seconds, _LONGEST_S) / _MIDDLE_S))
    louder = (heard.level - known.level) / _LEVELS_DB
    return np.array([1.0, alike, length, alike * length, min(louder, 0.0), max(louder, 0.0)])


def length_of(seconds: float) -> int:
    """Which of LENGTHS_S is nearest in proportion."""
    return int(np.abs(np.log(np.array(LENGTHS_S) / seconds)).argmin())


def _centred(centres: Array, one: VoicePrint) -> Array:
    vector: Array = one.vector - centres[length_of(one.seconds)]
    unit: Array = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit
