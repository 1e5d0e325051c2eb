"""Where voice really ended: the level, seen in 5 ms blocks, refines a slow detector's end.

A network that detects voice falls 60 to 130 ms after the last voiced sample. It says *that* voice
ended; the level says *when*. Steady noise is followed as a floor, so it is never taken for voice;
other people or music are the detector's business, and this only ever moves its end earlier.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audio.frame import EMPTY, HEAR_RATE, Samples

BLOCK = 80  # samples, 5 ms
ABOVE_FLOOR = 10.0  # dB: a block this far above the noise floor may be voice
BELOW_PEAK = 35.0  # dB: a block this far below the recent peak is none
QUIETEST = -75.0  # dBFS: the lowest floor, about one step of 16 bits
PEAK_FALL = 10.0  # dB a second: the recent peak is forgotten
FURTHEST = 2400  # samples, 150 ms: no detector is later than this, so no end is moved further
FLOOR_RISE = 4.0  # dB a second: the floor follows a louder room, and drops at once


class VoiceEnd:
    """Follows one microphone at 16 kHz; positions are samples since the last reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new source."""
        self._held: Samples = EMPTY
        self._blocks = 0
        self._peak = QUIETEST
        self._floor: float | None = None
        self._smooth = QUIETEST
        self.last_voiced = 0

    @property
    def position(self) -> int:
        """Samples judged so far."""
        return self._blocks * BLOCK

    def push(self, samples: Samples) -> int:
        """Take samples [n]; one past the last voiced sample so far, to 5 ms."""
        held = np.concatenate((self._held, samples))
        whole = len(held) // BLOCK * BLOCK
        self._held = held[whole:]
        for level in _levels(held[:whole].reshape(-1, BLOCK)):
            self._judge(float(level))
        return self.last_voiced

    def refined(self, detector_end: int) -> int:
        """The end of voice, in samples, where a detector says `detector_end` (never later)."""
        return min(detector_end, max(self.last_voiced, detector_end - FURTHEST))

    def _judge(self, level: float) -> None:
        seconds = BLOCK / HEAR_RATE
        self._peak = max(level, self._peak - PEAK_FALL * seconds)
        # Over some 20 ms, so that one quiet block inside a sound does not make a floor.
        self._smooth = level if self._floor is None else 0.75 * self._smooth + 0.25 * level
        risen = self._smooth if self._floor is None else self._floor + FLOOR_RISE * seconds
        self._floor = max(QUIETEST, min(risen, self._smooth))
        self._blocks += 1
        if level > max(self._floor + ABOVE_FLOOR, self._peak - BELOW_PEAK):
            self.last_voiced = self.position


def _levels(blocks: Samples) -> npt.NDArray[np.float64]:
    """dBFS of blocks [count, BLOCK], [count]; the mean is taken off."""
    centred = blocks - blocks.mean(axis=1, keepdims=True)
    power = np.square(centred, dtype=np.float64).mean(axis=1)
    levels: npt.NDArray[np.float64] = 10.0 * np.log10(power + 1e-12)
    return levels
