"""From probabilities of voice to the edges of segments (pure; opens and closes, never judges)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from duplex.events import VoiceMeasured

# Silero falls slowly after speech; leaving needs a lower value than entering, or vowels flicker.
HYSTERESIS = 0.15
# One quiet window between two syllables is no pause.
PAUSE_AFTER = 0.06


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
    echo_from: float | None = None
    echo_until: float = 0.0

    def measure(self, window: VoiceMeasured) -> Edge:
        """Take one window; echo of our own output is no voice."""
        level = self.threshold - HYSTERESIS if self.voiced else self.threshold
        sounding = window.probability >= level
        if sounding and window.echo:
            self._note_echo(window)
        if sounding and not window.echo:
            return self._voice(window)
        return self._quiet(window)

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

    def _voice(self, window: VoiceMeasured) -> Edge:
        self.last_voiced = window.end
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
