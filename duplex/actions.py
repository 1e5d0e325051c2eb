"""What a session may ask for. Imperative, plain data; the orchestrator carries it out.

The first half goes to the models, the second half to the client: sound, and every `Notice`. An
action says all that is needed to carry it out: nobody looks into the session for more. A notice is
a fact of the conversation, not a wire event: `server.realtime.encode` turns one notice into the
protocol's own sequence of events.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypeAlias

from duplex.conversation import ContextContent, ContextEntry
from duplex.tagged import BY_KEY, TAGGED
from models.base import AnswerOptions, AnswerTimes, Verdict

# What a model has to know, as a trace keeps it.
Context: TypeAlias = tuple[Annotated[ContextEntry, BY_KEY], ...]
RecordedContent: TypeAlias = Annotated[ContextContent, TAGGED]

# ------------------------------------------------------------------------------- to the models


@dataclass(frozen=True, slots=True)
class BeginHearing:
    """Let the monitor hear from `start` (user audio, seconds) as a new segment, knowing exactly
    `context`."""

    segment: int
    start: float
    context: Context = ()


@dataclass(frozen=True, slots=True)
class FlushHearing:
    """A pause: judge what was heard up to `until`, with the partial chunk. `silence`: seconds of it
    that the monitor is to take as heard after that, since no sound comes any more."""

    segment: int
    until: float
    silence: float = 0.0


@dataclass(frozen=True, slots=True)
class EndHearing:
    """The segment, which began at `start`, ends at `until`. `item_id` names the turn it became,
    None: forget it."""

    segment: int
    until: float
    item_id: str | None = None
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class CompareSpeaker:
    """Say from now on how likely the voice of the open segment is one that was answered."""

    segment: int


@dataclass(frozen=True, slots=True)
class LearnSpeaker:
    """A segment is answered: its voice is from now on one of the session's users."""

    segment: int


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """Answer on the monitor, which is the generator from now on (a swap) unless `speculative`: then
    the swap waits for ConfirmAnswer. The answer is to `segment` as it was heard; where that is
    None, to `context`. `out_of_band`: on a stream of its own, that knows `items` or else `context`
    and is closed with the answer."""

    response_id: int
    options: AnswerOptions
    speculative: bool = False
    segment: int | None = None
    items: tuple[RecordedContent, ...] | None = None
    out_of_band: bool = False
    context: Context = ()


@dataclass(frozen=True, slots=True)
class ConfirmAnswer:
    """The speculation was right: the monitor, which gives this answer, is the generator now."""

    response_id: int


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Stop generating. `rewind`: take what was generated back out of the stream as well, since the
    speculation failed and nobody was told of the answer."""

    response_id: int
    rewind: bool = False


@dataclass(frozen=True, slots=True)
class SyncMonitor:
    """Let the monitor come to know exactly this conversation, in the background."""

    context: Context


@dataclass(frozen=True, slots=True)
class ReplaceMonitor:
    """Let a fresh stream monitor. `segment` is what the old one did not judge in time, None where
    it failed or did not stop. `resume`: what the fresh one hears at once, from its start."""

    segment: int | None
    resume: BeginHearing | None = None


# -------------------------------------------------------------------------------- to the client


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Samples [start, start+count) of an answer leave now, 24 kHz. `ducked`: at reduced gain."""

    response_id: int
    start: int
    count: int
    ducked: bool = False


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    item_id: str
    at: float  # user audio, seconds, padding included


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    item_id: str
    at: float


@dataclass(frozen=True, slots=True)
class IdleTimedOut:
    item_id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class BufferCommitted:
    item_id: str
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class BufferCleared:
    pass


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """A finished item (user turn, typed item, tool output) entered the conversation."""

    item: dict[str, Any]
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    """`previous_item_id` is the item before it, which now stands before what followed it."""

    item_id: str
    previous_item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ItemRetrieved:
    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TranscriptAdded:
    """Words of a user turn. `final`: the whole transcript, else a piece to append."""

    item_id: str
    text: str
    final: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """`item_id` is the assistant item that will hold the answer, previous to it `previous_item_id`.
    Nothing of a speculative answer is told before it is confirmed."""

    response_id: int
    item_id: str
    previous_item_id: str | None
    options: AnswerOptions
    metadata: dict[str, str] | None = None
    in_conversation: bool = True


@dataclass(frozen=True, slots=True)
class ResponseTextAdded:
    response_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ResponseCallAdded:
    response_id: int
    item_id: str
    call_id: str
    name: str
    arguments: str
    previous_item_id: str | None = None


class ResponseStatus(Enum):
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class ResponseEnded:
    """`reason`: turn_detected, client_cancelled, max_output_tokens, or why it failed. `text` is all
    that was generated, `heard` the words that were played out, `heard_ms` how much sound, `item_id`
    the item that holds it, None where the conversation has none."""

    response_id: int
    status: ResponseStatus
    reason: str | None = None
    text: str = ""
    heard: str = ""
    heard_ms: int = 0
    samples: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    item_id: str | None = None


class Reason(Enum):
    """Why a segment ended as it did. Every segment has exactly one."""

    ANSWERED = "answered"
    STOPPED = "stopped"
    IGNORED_NOISE = "ignored-noise"
    IGNORED_SIDE_TALK = "ignored-side-talk"
    IGNORED_OTHER_SPEAKER = "ignored-other-speaker"
    IGNORED_BACKCHANNEL = "ignored-backchannel"
    ECHO = "echo"
    ABANDONED = "abandoned"
    SUPERSEDED = "superseded"
    NOT_REQUESTED = "not-requested"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decide:
    """The segment's one decision. `speaker_score` is the newest of its voice, None without one."""

    segment: int
    reason: Reason
    start: float
    end: float
    verdict: Verdict | None = None
    item_id: str | None = None
    response_id: int | None = None
    speaker_score: float | None = None


@dataclass(frozen=True, slots=True)
class ShowVerdict:
    """A verdict while the user speaks, for clients that have asked for such events."""

    segment: int
    verdict: Verdict
    until: float


@dataclass(frozen=True, slots=True)
class ShowState:
    """The joint state changed; `user` and `assistant` are the states' values."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class ShowSwap:
    """The monitor has become the generator for this answer."""

    response_id: int


@dataclass(frozen=True, slots=True)
class ShowAnswerTimes:
    """Where the time went before an answer's first sound, as its engine says."""

    response_id: int
    times: AnswerTimes


class Refused(Enum):
    """What was refused, where its cost was counted when it came in."""

    OTHER = "other"
    ITEM = "item"
    APART = "apart"  # a response outside the conversation


@dataclass(frozen=True, slots=True)
class Refuse:
    """A request cannot be done; the session goes on."""

    code: str
    message: str
    param: str | None = None
    event_id: str | None = None
    what: Refused = Refused.OTHER


ModelAction: TypeAlias = (
    BeginHearing
    | FlushHearing
    | EndHearing
    | CompareSpeaker
    | LearnSpeaker
    | StartAnswer
    | ConfirmAnswer
    | CancelAnswer
    | SyncMonitor
    | ReplaceMonitor
)
Notice: TypeAlias = (
    SpeechStarted
    | SpeechStopped
    | IdleTimedOut
    | BufferCommitted
    | BufferCleared
    | ItemAdded
    | ItemDeleted
    | ItemTruncated
    | ItemRetrieved
    | TranscriptAdded
    | ResponseStarted
    | ResponseTextAdded
    | ResponseCallAdded
    | ResponseEnded
    | Decide
    | ShowVerdict
    | ShowState
    | ShowSwap
    | ShowAnswerTimes
    | Refuse
)
Action: TypeAlias = ModelAction | SendAudio | Notice
