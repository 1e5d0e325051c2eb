"""How a session takes turns: one frozen object, changed only as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from models.base import AnswerOptions

FLUSH_EVERY_S = 0.06
# Where each verdict encodes the whole segment anew: a flush every 160 ms, in windows of 32.
SLOW_FLUSH_EVERY_S = 0.13


class TurnDetection(Enum):
    SEMANTIC = "semantic_vad"  # the model's verdict rules
    SERVER = "server_vad"  # voice and silence rule; the verdict says only whether to answer
    MANUAL = "none"  # the client commits


class Eagerness(Enum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """All seconds unless the name says otherwise."""

    turn_detection: TurnDetection = TurnDetection.SEMANTIC
    eagerness: Eagerness = Eagerness.AUTO
    create_response: bool = True
    interrupt_response: bool = True
    # server_vad
    threshold: float = 0.5
    prefix_padding: float = 0.3
    silence_duration: float = 0.5
    idle_timeout: float | None = None
    # semantic_vad: how much of the probability a state needs to act (per-state sensitivity)
    query_threshold: float = 0.5
    noise_threshold: float = 0.5
    sure_threshold: float = 0.6  # a query below it is asked anew before it is committed
    take_threshold: float = 0.8  # query plus unfinished, over an answer
    endpoint_delay: float | None = None  # None: as the eagerness says
    speculate: bool = True
    speaker_profile: bool = True  # tell the voices that were answered from others
    flush_every: float = FLUSH_EVERY_S  # between two verdicts that are asked for in a pause
    asks_ahead: bool = False  # for a verdict when a pause is likely, before it is sure
    # Sound that does not come for so long counts as silence from then on, by the clock.
    audio_gap: float = 0.6
    # output
    lead: float = 0.08  # how far sending runs ahead of playing
    answer: AnswerOptions = field(default_factory=AnswerOptions)
    strict_truncate: bool = False
    transcript_ahead: bool = False  # an answer's words are told before their sound is sent

    def paced(self, *, is_streamed: bool, asks_ahead: bool = False) -> Settings:
        """With the pace of a model that encodes sound as it comes, or of one that encodes the whole
        segment anew for each verdict. `asks_ahead`: its verdict at a pause takes long."""
        pace = FLUSH_EVERY_S if is_streamed else SLOW_FLUSH_EVERY_S
        return replace(self, flush_every=pace, asks_ahead=asks_ahead)

    @property
    def is_semantic(self) -> bool:
        """True if the model's verdict decides when a turn ends and whether it is answered."""
        return self.turn_detection is TurnDetection.SEMANTIC
