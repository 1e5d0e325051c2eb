"""What can happen to a session. Past tense, plain data; times are seconds of session time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from duplex.conversation import ItemReference, Turn
from duplex.endpointing import Settings
from duplex.tagged import TAGGED
from models.base import AnswerOptions, AnswerTimes, Item, SpokenWord, Verdict

# An item of the conversation, as a trace keeps it.
RecordedItem: TypeAlias = Annotated[Item, TAGGED]
RequestedItem: TypeAlias = Annotated[Item | ItemReference, TAGGED]

# ------------------------------------------------------------------------ from the microphone


@dataclass(frozen=True, slots=True)
class VoiceMeasured:
    """One window of the microphone was judged. `start` and `end` count the user's audio since the
    session began (seconds of samples appended, never a wall clock); `probability` is of voice;
    `echo` says that the window is explained by our own output; `sounded_until` is the newest moment
    at which the level was that of voice (a detector falls late), None if not known; `more_waits`
    says that more sound has been received and not been measured yet."""

    start: float
    end: float
    probability: float
    echo: bool = False
    sounded_until: float | None = None
    more_waits: bool = False


# -------------------------------------------------------------------------- from the monitor


@dataclass(frozen=True, slots=True)
class VerdictGiven:
    """The monitor judged segment number `segment` as far as `until` (user audio, seconds).
    `flushed`: the verdict includes the last, partial encoder chunk."""

    segment: int
    verdict: Verdict
    until: float
    flushed: bool = False


@dataclass(frozen=True, slots=True)
class SpeakerScored:
    """The voice of segment number `segment`, as far as `until` (user audio, seconds), was compared
    with the voices that were answered in this session. `score` is the probability that it is one
    of them, 0 to 1; what a voice is like is no part of any event."""

    segment: int
    score: float
    until: float


@dataclass(frozen=True, slots=True)
class HearingFailed:
    """The monitor could not judge a segment."""

    segment: int
    reason: str


@dataclass(frozen=True, slots=True)
class MonitorUnresponsive:
    """The monitor's instance did not stop when it was told to."""


# ------------------------------------------------------------------------- from an answer task


@dataclass(frozen=True, slots=True)
class AnswerTextMade:
    """The model has made `text`. `input_tokens` stood in its cache when the answer began;
    `output_tokens` were added since."""

    response_id: int
    text: str
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AnswerSoundMade:
    """`samples` more samples (24 kHz) are ready; `words` are now placed in the answer. `times`:
    where the time went before the first of them, where the engine knows it."""

    response_id: int
    samples: int
    words: tuple[SpokenWord, ...] = ()
    times: AnswerTimes | None = None


@dataclass(frozen=True, slots=True)
class AnswerCallMade:
    """The model calls a function; `arguments` is JSON."""

    response_id: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    """The model has said all it wants to say. `incomplete`: it ran into its token limit. Tokens as
    in AnswerTextMade."""

    response_id: int
    incomplete: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AnswerFailed:
    """The model could not go on with an answer."""

    response_id: int
    reason: str


# -------------------------------------------------------------------------- from the client


@dataclass(frozen=True, slots=True)
class ConversationResumed:
    """The session goes on with the turns of another one, in which so many answers were opened."""

    turns: tuple[Turn, ...]
    num_responses: int


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    settings: Settings


@dataclass(frozen=True, slots=True)
class CommitRequested:
    """The client's buffer is a turn. `received_until` is the end of all that has come in (user
    audio, seconds), which is a little more than what has been measured; `held` so many seconds more
    were appended, and still are in the filter that changes the rate."""

    event_id: str | None = None
    received_until: float = 0.0
    held: float = 0.0


@dataclass(frozen=True, slots=True)
class ClearRequested:
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemOffered:
    """The client puts a finished item into the conversation. `previous_item_id` None: at the end;
    "root": at the front. `parts` are what the models read; `wire` is the item as sent, kept for
    retrieval; `call_id` joins a tool's output to its call."""

    item_id: str
    role: str
    parts: tuple[RecordedItem, ...]
    wire: dict[str, Any] = field(default_factory=dict)
    previous_item_id: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemDeleteRequested:
    """`outdated`: a picture gives way to newer ones; whoever has seen it may remember it."""

    item_id: str
    event_id: str | None = None
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class ItemRetrieveRequested:
    item_id: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemTruncateRequested:
    item_id: str
    content_index: int
    audio_end_ms: int
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseRequested:
    """An explicit response.create: always answered. `items` None means the conversation as it is;
    `in_conversation` False is an answer out of band."""

    options: AnswerOptions
    items: tuple[RequestedItem, ...] | None = None
    in_conversation: bool = True
    metadata: dict[str, str] | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    response_id: int | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class PlayoutReported:
    """A client that knows says how much of an answer its user has heard, samples at 24 kHz."""

    response_id: int
    samples: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The client has gone: what is still open is decided now."""


AnswerEvent: TypeAlias = (
    AnswerTextMade | AnswerSoundMade | AnswerCallMade | AnswerFinished | AnswerFailed
)
Event: TypeAlias = (
    VoiceMeasured
    | VerdictGiven
    | SpeakerScored
    | HearingFailed
    | MonitorUnresponsive
    | AnswerTextMade
    | AnswerSoundMade
    | AnswerCallMade
    | AnswerFinished
    | AnswerFailed
    | ConversationResumed
    | SettingsChanged
    | CommitRequested
    | ClearRequested
    | ItemOffered
    | ItemDeleteRequested
    | ItemRetrieveRequested
    | ItemTruncateRequested
    | ResponseRequested
    | CancelRequested
    | PlayoutReported
    | SessionEnded
)
