"""From probabilities of voice to the edges of segments (pure; opens and closes, never judges)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from duplex.events import VoiceMeasured

# Silero falls slowly after speech; leaving needs a lower value than entering, or vowels flicker.
HYSTERESIS = 0.15
# The silence inside a plosive is no pause.
PAUSE_AFTER = 0.08


class Edge(Enum):
    ONSET = "onset"  # first voice of a segment
    RESUMED = "resumed"  # voice again inside it
    PAUSED = "paused"
    VOICED = "voiced"  # still voice
    QUIET = "quiet"  # still none


@dataclass(slots=True)
class VoiceTracker:
    """Follows one microphone. Times are seconds of user audio."""

    threshold: float = 0.5
    voiced: bool = False
    last_voiced: float = 0.0
    onset: float = 0.0
    is_open: bool = False
    is_followed: bool = False  # the level, too, has seen this segment's voice
    echo_from: float | None = None
    echo_until: float = 0.0

    def measure(self, window: VoiceMeasured) -> Edge:
        """Take one window; echo of our own output is no voice."""
        level = self.threshold - HYSTERESIS if self.voiced else self.threshold
        sounding = window.probability >= level
        if sounding and window.echo:
            self._note_echo(window)
        until = self._sounded_until(window)
        if sounding and not window.echo and window.end - until < PAUSE_AFTER:
            return self._voice(window, until)
        return self._quiet(window)

    def _sounded_until(self, window: VoiceMeasured) -> float:
        """The level's word counts once it has followed this segment's voice: under a steady noise
        it cannot, and the detector alone must do."""
        if window.sounded_until is None:
            return window.end
        self.is_followed = self.is_open and (
            self.is_followed or window.sounded_until > max(window.start, self.onset)
        )
        return window.sounded_until if self.is_followed else window.end

    def close(self) -> None:
        """The segment is decided: the next voice is an onset."""
        self.is_open = False
        self.voiced = False

    def finished_echo(self, now: float, after: float = 0.3) -> tuple[float, float] | None:
        """The span of an echo that ended at least `after` seconds ago, once."""
        if self.echo_from is None or now - self.echo_until < after:
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
        if self.voiced and window.end - self.last_voiced >= PAUSE_AFTER:
            self.voiced = False
            return Edge.PAUSED
        return Edge.VOICED if self.voiced else Edge.QUIET

    def _note_echo(self, window: VoiceMeasured) -> None:
        if not self.is_open and self.echo_from is None:
            self.echo_from = window.start
        self.echo_until = window.end
