"""Which sample of the microphone is captured now, though its sound comes late and in bursts."""

from __future__ import annotations

from collections import deque

from audio.frame import HEAR_RATE

KEPT = 100  # arrivals that are remembered: 2 s of frames of 20 ms
LONGEST_LATE = 1.0  # seconds without sound after which the microphone was off, not late


class MicrophoneClock:
    """Sound arrives when it was captured or later, never earlier: the promptest of the latest
    arrivals tell the time. `now` is seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._count = 0  # samples that have arrived
        self._began: deque[float] = deque(maxlen=KEPT)  # when sample 0 was captured, at the latest
        self._latest = 0.0

    def arrived(self, samples: int, now: float) -> None:
        """So many more samples have come in."""
        if now - self._latest > LONGEST_LATE:
            self._began.clear()
        self._count, self._latest = self._count + samples, now
        self._began.append(now - self._count / HEAR_RATE)

    def position(self, now: float) -> int:
        """The sample, counted from the first, that is captured now."""
        if not self._began or now - self._latest > LONGEST_LATE:
            return self._count
        return max(self._count, round((now - min(self._began)) * HEAR_RATE))
