"""The playout clock: how much of an answer has been heard by now, and how much may be sent."""

from __future__ import annotations

from audio.frame import SPEAK_RATE

_SLACK = 1e-3  # samples; keeps rounding of times from hiding a whole sample


class _Playhead:
    """A position that moves at playing speed up to a limit and waits there for more."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._position = 0.0  # samples, at the time `_since`
        self._since = 0.0
        self.limit = 0

    def at(self, now: float) -> float:
        moved = self._position + max(0.0, now - self._since) * self._rate
        return min(moved, float(self.limit))

    def waits(self, now: float) -> bool:
        return self.at(now) >= self.limit - _SLACK

    def extend(self, samples: int, now: float, delay: float) -> None:
        if self.waits(now):
            self.place(self.limit, now + delay)
        self.limit += samples

    def place(self, position: float, since: float) -> None:
        self._position, self._since = min(position, float(self.limit)), since

    def reaches(self, position: float) -> float:
        return self._since + (position - self._position) / self._rate


class PlayoutClock:
    """Keeps time for one answer. All times are seconds of one monotonic clock, given by the caller.

    Two positions move at playing speed over what was sent, and stall where it ends. The *paced*
    one starts when sound is sent and rules sending, so that a client's reports, which are late by
    the way back, never starve it. The *heard* one lags by `delay`, from sending to hearing; client
    reports correct it and teach the delay. Neither ever runs ahead of what was sent.
    """

    def __init__(
        self, rate: int = SPEAK_RATE, lead: float = 0.08, speed: float = 1.0, delay: float = 0.0
    ) -> None:
        """`rate` in samples a second; `lead` in seconds of sound; `speed` of the client's player
        (1.0: as recorded); `delay` in seconds, learned in an earlier answer. Raises ValueError."""
        if rate < 1 or lead <= 0 or speed <= 0 or delay < 0:
            raise ValueError("rate, lead and speed must be positive, delay not negative")
        self._lead = round(lead * rate)
        self._rate = rate * speed  # samples that leave the speaker in a second
        self._paced = _Playhead(self._rate)
        self._heard = _Playhead(self._rate)
        self._cut: int | None = None
        self.delay = delay

    @property
    def total(self) -> int:
        """Samples sent so far."""
        return self._paced.limit

    @property
    def is_cut(self) -> bool:
        return self._cut is not None

    def sent(self, samples: int, now: float) -> None:
        """So many samples of the answer leave now. Raises ValueError after a cut."""
        if self._cut is not None:
            raise ValueError("a cut answer sends nothing more")
        if samples < 0:
            raise ValueError("samples cannot be taken back")
        self._paced.extend(samples, now, 0.0)
        self._heard.extend(samples, now, self.delay)

    def heard(self, now: float) -> int:
        """Samples of the answer that have been heard by now."""
        return int(self._heard.at(now) + _SLACK) if self._cut is None else self._cut

    def all_heard(self, now: float) -> bool:
        """Everything sent so far has been heard (or the answer was cut)."""
        return self._cut is not None or self._heard.waits(now)

    def end(self, now: float) -> float:
        """When everything sent so far has been heard; `now` if it has."""
        return now if self.all_heard(now) else self._heard.reaches(self._heard.limit)

    def report(self, heard: int, now: float) -> None:
        """The client says how many samples it has played; it is believed, up to what was sent.

        Valid after a cut too: a client's truncation knows better where it fell silent.
        """
        heard = min(max(heard, 0), self.total)
        if self._cut is not None:
            self._cut = heard
            return
        if not self._paced.waits(now):
            # A paced position at its end stands still and would make the delay look too short.
            self.delay = max(0.0, (self._paced.at(now) - heard) / self._rate)
        self._heard.place(heard, now)

    def cut(self, now: float) -> int:
        """The answer ends here and its client drops what it has not played. Samples heard."""
        self._cut = self.heard(now)
        return self._cut

    def room(self, now: float) -> int:
        """Samples that may be sent now without running further ahead than the lead."""
        if self._cut is not None:
            return 0
        return max(0, int(self._lead - (self.total - self._paced.at(now)) + _SLACK))

    def next_room_time(self, samples: int, now: float) -> float:
        """When there is room for so many samples (at most the lead counts); `now` if there is."""
        wanted = min(samples, self._lead)
        if self.room(now) >= wanted:
            return now
        return max(now, self._paced.reaches(self.total + wanted - self._lead))
