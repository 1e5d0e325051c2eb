"""Chunks of any length in, whole frames of one length out."""

from __future__ import annotations

import numpy as np

from audio.frame import EMPTY, FRAME_SECONDS, HEAR_RATE, AudioFrame, Samples, to_samples


class Framer:
    """Cuts a stream of samples into numbered frames; what is left over waits for more."""

    def __init__(self, rate: int = HEAR_RATE, seconds: float = FRAME_SECONDS) -> None:
        self.rate = rate
        self.length = to_samples(seconds, rate)
        if self.length < 1:
            raise ValueError(f"a frame of {seconds} s at {rate} Hz holds no sample")
        self._index = 0
        self._rest = EMPTY

    @property
    def waiting(self) -> int:
        """Samples that do not fill a frame yet."""
        return len(self._rest)

    def push(self, samples: Samples) -> list[AudioFrame]:
        """The frames completed by samples [n], in order."""
        held = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(held) // self.length * self.length
        # A copy: the caller may reuse its buffer, and a frame must not keep a long chunk alive.
        self._rest = held[whole:].copy()
        return [self._frame(held[at : at + self.length]) for at in range(0, whole, self.length)]

    def flush(self) -> AudioFrame | None:
        """The last frame, filled up with silence; None if nothing waits."""
        if not len(self._rest):
            return None
        filled = np.zeros(self.length, dtype=np.float32)
        filled[: len(self._rest)] = self._rest
        self._rest = EMPTY
        return self._frame(filled)

    def _frame(self, samples: Samples) -> AudioFrame:
        frame = AudioFrame(self._index, samples.copy(), self.rate)
        self._index += 1
        return frame
