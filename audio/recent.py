"""The newest stretch of one microphone, addressed by its place in the session's audio."""

from __future__ import annotations

import numpy as np

from audio.frame import Samples


class RecentAudio:
    """Keeps the last `capacity` samples. Positions count samples since the session began."""

    def __init__(self, capacity: int) -> None:
        """Raises ValueError when there would be no room at all."""
        if capacity < 1:
            raise ValueError("capacity must be positive")
        self._ring: Samples = np.zeros(capacity, np.float32)
        self.end = 0

    @property
    def start(self) -> int:
        """The oldest position still kept."""
        return max(0, self.end - len(self._ring))

    def append(self, samples: Samples) -> None:
        """Samples [n] follow; the oldest give way."""
        kept = samples[-len(self._ring) :]
        begin = self.end + len(samples) - len(kept)
        places = np.arange(begin, begin + len(kept)) % len(self._ring)
        self._ring[places] = kept
        self.end += len(samples)

    def slice(self, start: int, end: int) -> Samples:
        """A copy of [start, end), as far as it is kept."""
        start, end = max(start, self.start), min(end, self.end)
        if end <= start:
            return np.zeros(0, np.float32)
        taken: Samples = self._ring[np.arange(start, end) % len(self._ring)]
        return taken

    def clear(self) -> None:
        """Give the memory back; nothing can be appended any more."""
        self._ring = np.zeros(1, np.float32)
        self.end = 0
