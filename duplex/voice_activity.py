"""From probabilities of voice to the edges of segments, and how long it has been silent (pure).

Nothing here judges what a voice or a silence means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from duplex.core import Segment
from duplex.events import VoiceMeasured

# Silero falls slowly after speech; leaving needs a lower value than entering, or vowels flicker.
HYSTERESIS = 0.15
# The silence inside a plosive is no pause.
MIN_PAUSE_S = 0.08
# An echo that was not heard for so long is over.
ECHO_ENDS_AFTER_S = 0.3
# The next window may be so late without any doubt that it comes.
WINDOW_LATE_S = 0.1


class Edge(Enum):
    """What one window of the microphone means for the open segment."""

    ONSET = "onset"  # first voice of a segment
    RESUMED = "resumed"  # voice again inside it
    PAUSED = "paused"
    VOICED = "voiced"  # still voice
    QUIET = "quiet"  # still none


@dataclass(slots=True)
class VoiceTracker:
    """Follows the voice in one microphone signal. Times are seconds of user audio."""

    voiced: bool = False
    last_voiced: float = 0.0
    onset: float = 0.0
    is_open: bool = False
    is_level_known: bool = False  # the level, too, has seen this segment's voice
    echo_from: float | None = None
    echo_until: float = 0.0

    def measure(self, window: VoiceMeasured, threshold: float = 0.5) -> Edge:
        """Take one window and tell what it means; echo of our own output is not taken for voice."""
        needed = threshold - HYSTERESIS if self.voiced else threshold
        is_sounding = window.probability >= needed
        if is_sounding and window.echo:
            self._add_echo(window)
        until = self._sounded_until(window)
        if is_sounding and not window.echo and window.end - until < MIN_PAUSE_S:
            return self._voice(window, until)
        return self._quiet(window)

    def _sounded_until(self, window: VoiceMeasured) -> float:
        """The end of the voice by its level, once the level has followed this segment's voice:
        under a steady noise it cannot, and the detector alone must do."""
        if window.sounded_until is None:
            return window.end
        self.is_level_known = self.is_open and (
            self.is_level_known or window.sounded_until > max(window.start, self.onset)
        )
        return window.sounded_until if self.is_level_known else window.end

    def adopt(self, onset: float, until: float) -> None:
        """Follow a segment that was opened by the client: its voice is taken to last so far."""
        self.is_open = self.voiced = True
        self.onset, self.last_voiced = onset, until

    def pause(self) -> None:
        """Sound has stopped coming: the next voice is a resumption."""
        self.voiced = False

    def close(self) -> None:
        """The segment is closed: the next voice is an onset."""
        self.is_open = False
        self.voiced = False

    def finished_echo(self, now: float) -> tuple[float, float] | None:
        """The span of an echo that has ended, once."""
        if self.echo_from is None or now - self.echo_until < ECHO_ENDS_AFTER_S:
            return None
        span = (self.echo_from, self.echo_until)
        self.echo_from = None
        return span

    def _voice(self, window: VoiceMeasured, until: float) -> Edge:
        self.last_voiced = max(self.last_voiced, until)
        self.echo_from = None
        if not self.is_open:
            self.is_open = self.voiced = True
            self.onset = window.start
            return Edge.ONSET
        if not self.voiced:
            self.voiced = True
            return Edge.RESUMED
        return Edge.VOICED

    def _quiet(self, window: VoiceMeasured) -> Edge:
        if self.voiced and window.end - self.last_voiced >= MIN_PAUSE_S:
            self.voiced = False
            return Edge.PAUSED
        return Edge.VOICED if self.voiced else Edge.QUIET

    def _add_echo(self, window: VoiceMeasured) -> None:
        if not self.is_open and self.echo_from is None:
            self.echo_from = window.start
        self.echo_until = window.end


@dataclass(slots=True)
class SilenceClock:
    """Tells how long the user has been silent: by the user's audio, and once that stops coming by
    the clock. `now` is session time."""

    heard_until: float = 0.0  # user audio: the end of what has been measured
    measured_at: float = 0.0  # session time of the newest window
    more_waits: bool = False  # sound is there that has not been measured

    def advance(self, window: VoiceMeasured, now: float) -> None:
        """One more window has been measured."""
        self.heard_until, self.measured_at = window.end, now
        self.more_waits = window.more_waits

    def silence(self, segment: Segment, now: float, audio_gap: float) -> float:
        """Seconds since the last voice: those heard, those for which the next window may be late,
        and those for which sound has been missing for longer than `audio_gap`."""
        heard = self.heard_until - segment.last_voiced
        if self.more_waits:
            return heard
        soon = min(max(0.0, now - self.measured_at), WINDOW_LATE_S)
        return heard + soon + max(0.0, now - self._silence_from(segment, now, audio_gap))

    def lasts_at(self, silence: float, segment: Segment, audio_gap: float) -> float | None:
        """Session time at which there has been so much silence, if no more sound comes: the
        inverse of `silence`. None while sound waits to be measured."""
        missing_from = self.missing_from(segment, audio_gap)
        if missing_from is None:
            return None
        wait = max(0.0, segment.last_voiced + silence - self.heard_until)
        if wait <= WINDOW_LATE_S:
            return self.measured_at + wait
        return missing_from + wait - WINDOW_LATE_S

    def missing_from(self, segment: Segment, audio_gap: float) -> float | None:
        """Session time from which on sound is missing if no more comes; None while some waits."""
        if self.more_waits:
            return None
        return self._silence_from(segment, self.measured_at, audio_gap)

    def is_missing(self, segment: Segment, now: float, audio_gap: float) -> bool:
        """True if sound has not come for so long that this is silence."""
        return not self.more_waits and now >= self._silence_from(segment, now, audio_gap)

    def _silence_from(self, segment: Segment, now: float, audio_gap: float) -> float:
        """Session time from which on missing sound counts as silence: nothing has come for a while,
        and all that came before has been judged, since sound may wait for that verdict."""
        due = segment.verdict_due
        judged_at = due if due is not None and now < due else segment.judged_at
        return max(self.measured_at, judged_at) + max(audio_gap, WINDOW_LATE_S)
