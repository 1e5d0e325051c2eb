"""How fast an answer is spoken: frames in between, so that the pitch stays as it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]


class Pace:
    """A stream of feature frames at another speed: at 0.5 there are two for every one. Feed them
    in any portions, the result is the same. At speed 1 nothing is changed."""

    def __init__(self, speed: float) -> None:
        """Raises ValueError for a speed that is not positive."""
        if not speed > 0:
            raise ValueError(f"a speed must be above 0, not {speed}")
        self._speed = speed
        self._waiting: Features | None = None  # frames from number `_first` on
        self._first = 0
        self._given = 0

    def feed(self, features: Features) -> Features:
        """[n, d] -> the frames that are now known, [m, d]."""
        if self._speed == 1:
            return features
        self._waiting = (
            features if self._waiting is None else np.concatenate((self._waiting, features))
        )
        known = self._first + len(self._waiting) - 1  # the last place between two frames
        return self._take(known)

    def flush(self) -> Features:
        """What lies at and behind the last frame, which stands still there: [m, d]."""
        if self._waiting is None or not len(self._waiting):
            return np.zeros((0, 0), np.float32)
        return self._take(self._first + len(self._waiting))

    def _take(self, before: int) -> Features:
        """Frames at the places _given * speed, (_given + 1) * speed, ... below `before`."""
        assert self._waiting is not None
        count = max(0, int(np.ceil(before / self._speed)) - self._given)
        places = (self._given + np.arange(count)) * self._speed
        places = places[places < before] - self._first
        low = places.astype(int)
        high = np.minimum(low + 1, len(self._waiting) - 1)
        share = (places - low)[:, None].astype(np.float32)
        out = self._waiting[low] * (1 - share) + self._waiting[high] * share
        self._given += len(places)
        self._drop(int(self._given * self._speed))
        return np.asarray(out, np.float32)

    def _drop(self, place: int) -> None:
        """Forget frames before `place`, but never the last one."""
        assert self._waiting is not None
        gone = max(0, min(place - self._first, len(self._waiting) - 1))
        self._waiting, self._first = self._waiting[gone:], self._first + gone
