"""Codes of one answer to samples as they come: the window that the codec looks through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.base import Samples
from models.vita.vocoder import FRAMES_PER_CODE, HOP, Vocoder

EDGE = 1024  # the code that stands where there is no sound yet, or no more
LEFT, RIGHT = 6, 2  # codes that the decoder sees around each code
SAMPLES_PER_CODE = FRAMES_PER_CODE * HOP

Decode: TypeAlias = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""codes [1, LEFT + n + RIGHT] -> features [1, n * FRAMES_PER_CODE, FEATURES]"""


class CodeStream:
    """One answer's sound. Code k is the samples [k, k + 1) * SAMPLES_PER_CODE, and comes out once
    RIGHT more codes are known; any portions give the same samples."""

    def __init__(self, decode: Decode, seed: int = 0) -> None:
        self._decode = decode
        self._vocoder = Vocoder(seed)
        self._window = [EDGE] * LEFT

    def feed(self, codes: Sequence[int]) -> Samples:
        """Take codes (0..1023); give the samples that are now known, [n] at 24 kHz."""
        self._window += codes
        count = len(self._window) - LEFT - RIGHT
        if count <= 0:
            return np.zeros(0, np.float32)
        features = self._decode(np.array([self._window], np.int64))[0]
        self._window = self._window[count:]
        return self._vocoder.feed(features)

    def flush(self) -> Samples:
        """The answer is over: the samples of its last codes."""
        return self.feed([EDGE] * RIGHT)
