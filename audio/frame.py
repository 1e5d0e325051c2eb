"""A frame, its rate, and seconds against samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]  # [n], mono, -1..1

HEAR_RATE = 16_000  # samples a second that detectors and models hear
SPEAK_RATE = 24_000  # samples a second that answers are made in
TELEPHONE_RATE = 8_000  # G.711
FRAME_SECONDS = 0.02  # the wire's fixed step
EMPTY: Samples = np.zeros(0, dtype=np.float32)
EMPTY.setflags(write=False)


def to_samples(seconds: float, rate: int) -> int:
    """The number of samples nearest to that many seconds."""
    return round(seconds * rate)


def to_seconds(samples: int, rate: int) -> float:
    """How long that many samples last, in seconds."""
    return samples / rate


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """One step of audio: `samples` is [n] mono float32, `index` counts frames from 0.

    Time comes from the index and never from a wall clock, so it is exact after any stall. All
    frames of one source have the same length.
    """

    index: int
    samples: Samples
    rate: int = HEAR_RATE

    @property
    def start(self) -> float:
        """Seconds from the start of the source to the first sample."""
        return self.index * len(self.samples) / self.rate

    @property
    def end(self) -> float:
        """Seconds from the start of the source to just after the last sample."""
        return (self.index + 1) * len(self.samples) / self.rate
