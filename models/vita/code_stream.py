"""Codes of one answer to samples as they come: the window that the codec looks through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.base import Samples
from models.vita.pace import Pace
from models.vita.vocoder import FRAMES_PER_CODE, HOP, Vocoder

EDGE = 1024  # the code that stands where there is no sound yet, or no more
LEFT, RIGHT = 6, 2  # codes that the decoder sees around each code
SAMPLES_PER_CODE = FRAMES_PER_CODE * HOP

Decode: TypeAlias = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""codes [1, LEFT + n + RIGHT] -> features [1, n * FRAMES_PER_CODE, FEATURES]"""


class CodeStream:
    """One answer's sound. At speed 1 code k is the samples [k, k + 1) * SAMPLES_PER_CODE, else they
    begin at `sample_of(k)`; it comes out once RIGHT more codes are known (one more at others).
    Any portions give the same samples."""

    def __init__(self, decode: Decode, seed: int = 0, speed: float = 1.0) -> None:
        """Raises ValueError for a speed that is not positive."""
        self._decode = decode
        self._vocoder = Vocoder(seed)
        self._pace, self._speed = Pace(speed), speed
        self._window = [EDGE] * LEFT

    def sample_of(self, code: int) -> int:
        """Where the sound of a code begins in the answer."""
        return round(code * SAMPLES_PER_CODE / self._speed)

    def feed(self, codes: Sequence[int]) -> Samples:
        """Take codes (0..1023); give the samples that are now known, [n] at 24 kHz."""
        self._window += codes
        count = len(self._window) - LEFT - RIGHT
        if count <= 0:
            return np.zeros(0, np.float32)
        features = self._decode(np.array([self._window], np.int64))[0]
        self._window = self._window[count:]
        return self._vocoder.feed(self._pace.feed(features))

    def flush(self) -> Samples:
        """The answer is over: the samples of its last codes."""
        rest = self.feed([EDGE] * RIGHT)
        return np.concatenate((rest, self._vocoder.feed(self._pace.flush())))
