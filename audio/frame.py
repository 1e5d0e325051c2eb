"""Sampling rates, the type of a piece of sound, and seconds in samples."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]  # [n], mono, -1..1

HEAR_RATE = 16_000  # samples a second that detectors and models hear
SPEAK_RATE = 24_000  # samples a second that answers are made in
TELEPHONE_RATE = 8_000  # G.711
EMPTY: Samples = np.zeros(0, dtype=np.float32)
EMPTY.setflags(write=False)


def to_samples(seconds: float, rate: int) -> int:
    """The number of samples nearest to that many seconds."""
    return round(seconds * rate)
