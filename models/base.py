"""What the rest of the house knows about a model: protocols and their results.

A concrete network never crosses this line. Everything here is plain data (numpy arrays, strings,
numbers), so that an engine may live in a thread, in another process or on another machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]  # [n], mono, -1..1
ImageDetail: TypeAlias = Literal["auto", "low", "high"]

HEAR_RATE = 16_000  # samples a second that models hear
SPEAK_RATE = 24_000  # samples a second that models speak
HEAR_CHUNK = 2_560  # samples of one encoder chunk (160 ms): one verdict each
HEAR_AHEAD = 720  # samples beyond a chunk that its encoding looks at (45 ms, as nano's does)
SPARE_STREAMS = 2  # of an instance, beside one for each conversation: what goes out of band


class InstanceFailed(Exception):
    """An instance broke; its streams are lost. `reason` is short and safe to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AnswerUnavailable(InstanceFailed):
    """An answer cannot be given, since something outside of the model fails that it needs (the
    address of a language model or of a voice). Unlike after other failures of an instance the
    stream lives: it is as after an answer that was broken off there."""


class OutOfRoom(Exception):
    """The stream cannot take this much more; open a fresh one from the last turns."""


class BadInput(Exception):
    """What a caller gave cannot be taken by this model (a picture by one that cannot see). The
    stream is as it was before. The message is short and safe to show."""


class UnknownMark(BadInput):
    """A mark of another stream, or one that was rewound over or forgotten."""


# ---------------------------------------------------------------------------------- verdicts


@dataclass(frozen=True, slots=True)
class Verdict:
    """Scores of the state tokens for the segment so far; they sum to one over those present.

    Source: the first output token of VITA (arXiv 2408.05211, section 3.3). `unfinished` is nano's
    own fourth token and stays 0.0 where the checkpoint has none. `words` is the live transcript,
    empty where the checkpoint has no aligner. `heard` counts the segment's samples at 16 kHz.
    """

    query: float
    noise: float
    text: float = 0.0
    unfinished: float = 0.0
    words: str = ""
    heard: int = 0


# ------------------------------------------------------------------------------ conversation


@dataclass(frozen=True, slots=True)
class Instructions:
    """What the operator or client tells the assistant to be."""

    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the assistant may call; `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserText:
    text: str


@dataclass(frozen=True, slots=True)
class UserSound:
    """A spoken user turn. `embedded` is the engine's own memory of it (see Stream.embedded)."""

    samples: Samples | None = None  # [n] at 16 kHz
    embedded: npt.NDArray[np.float32] | None = None  # [tokens, width]
    words: str = ""


@dataclass(frozen=True, slots=True)
class UserImage:
    """An image as [height, width, 3] uint8 RGB. `detail` "low": one glance is enough, as at a frame
    of a video; "high": in as many tiles as the model takes; "auto": as the engine sees fit."""

    pixels: npt.NDArray[np.uint8]
    detail: ImageDetail = "auto"

    @property
    def is_frame(self) -> bool:
        """One of many of a camera: not every one has to be seen."""
        return self.detail == "low"


@dataclass(frozen=True, slots=True)
class AssistantText:
    """What the assistant said. `cut` marks an answer of which only these words were heard."""

    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The assistant asks the client to call a tool; `arguments` is JSON."""

    name: str
    arguments: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    call_id: str
    output: str


Item: TypeAlias = (
    Instructions | UserText | UserSound | UserImage | AssistantText | FunctionCall | FunctionOutput
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """All that a fresh stream has to know before it hears."""

    items: tuple[Item, ...] = ()
    tools: tuple[Tool, ...] = ()


# ---------------------------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of an answer and where its sound stands: [start, end) in samples at 24 kHz,
    counted from the start of the answer. `estimated`: in proportion, not aligned."""

    text: str
    start: int
    end: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """Where the time went before an answer was heard. `transcript`: seconds that the user's last
    words took to be transcribed; the others count from when the answer was asked for until its
    first token, its first whole clause and its first sound were there."""

    transcript: float
    first_token: float
    first_clause: float
    first_sound: float


@dataclass(frozen=True, slots=True)
class AnswerChunk:
    """A piece of an answer. Text may run ahead of sound; either may be empty.

    The texts of all chunks joined are the answer. `words` are those whose sound is now known
    completely or begins within `samples`; their spans are absolute in the answer.
    """

    text: str = ""
    samples: Samples | None = None  # [n] at 24 kHz
    words: tuple[SpokenWord, ...] = ()
    times: AnswerTimes | None = None  # with the first sound, where the engine knows them
    cut_short: bool = False  # the answer ran into `max_tokens`, and nothing of it follows


AnswerPart: TypeAlias = AnswerChunk | FunctionCall


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What one answer may be."""

    speak: bool = True  # False: text only
    max_tokens: int = 512
    seed: int | None = None
    temperature: float = 0.0
    speed: float = 1.0
    tool_choice: str = "auto"  # auto, none, required, or the name of one tool
    tools: tuple[Tool, ...] | None = None  # None: those of the conversation
    instructions: str | None = None  # for this answer only


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a stream to which it can be rewound. Opaque to all but its stream."""

    position: int
    key: int = 0


class Stream(Protocol):
    """One session's cache on one instance. One caller at a time, except that `answer` may run
    while nothing else does; closing or aclosing the iterator stops the generation."""

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        """Take sound of the current segment ([n], 16 kHz, any length) and judge the segment so far.

        Whole encoder chunks are taken as they fill; `last` flushes a partial one (a pause) and
        leaves the segment open: hearing may go on after it.
        """
        ...

    async def end_segment(self) -> None:
        """The segment is over and belongs to the user's turn. The next `hear` starts a new one
        (encoder state and positions anew) of the same turn until an answer begins."""
        ...

    async def read(self, item: Item) -> None:
        """Take typed text, an image, a tool's result, or an answer that another instance gave.
        Raises BadInput, OutOfRoom."""
        ...

    async def mark(self) -> Mark: ...

    async def rewind(self, mark: Mark) -> None:
        """Forget everything after the mark: language cache, encoder and adapter caches.
        Raises UnknownMark."""
        ...

    def answer(self, options: AnswerOptions) -> AsyncIterator[AnswerPart]:
        """Answer the turn that was just heard or read. What was generated stays in the stream
        until a rewind. Raises InstanceFailed, OutOfRoom."""
        ...

    def embedded(self) -> npt.NDArray[np.float32] | None:
        """The current user turn as the language model saw it, [tokens, width]; None if unknown."""
        ...

    def room(self) -> int:
        """Tokens left."""
        ...

    async def close(self) -> None: ...


class Instance(Protocol):
    """One resident copy of the model."""

    name: str

    async def open(self, conversation: Conversation) -> Stream: ...

    def capacity(self) -> int:
        """Tokens that a fresh stream can hold."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class VoicePrint:
    """What a voice is like, over `seconds` of voiced sound. `vector` has length one; `level` is in
    dBFS. It is personal data: it is kept in memory only, and its text does not show the vector."""

    vector: npt.NDArray[np.float32] = field(repr=False)
    seconds: float
    level: float

    def joined(self, other: VoicePrint, most: float) -> VoicePrint:
        """The mean of both by their seconds, of which these count `most` at the most."""
        own = min(self.seconds, most)
        share = other.seconds / max(own + other.seconds, 1e-9)
        vector = (1 - share) * self.vector + share * other.vector
        return VoicePrint(
            (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32),
            min(own + other.seconds, most),
            (1 - share) * self.level + share * other.level,
        )


class SpeakerEncoder(Protocol):
    """Tells voices apart. One for all sessions; it keeps nothing of what it is given."""

    async def embed(self, voiced: Samples) -> VoicePrint:
        """Voiced samples [n] at 16 kHz, n > 0, off the event loop. Raises InstanceFailed."""
        ...

    def likeness(self, known: VoicePrint, heard: VoicePrint) -> float:
        """The probability that both are one speaker."""
        ...


class VoiceActivityDetector(Protocol):
    """Probability of voice for each consecutive window of one session's 16 kHz audio."""

    window: int  # samples a step

    async def detect(self, samples: Samples) -> Sequence[float]:
        """Take any number of samples; give one probability for each window completed by them."""
        ...

    def reset(self) -> None: ...


class Synthesizer(Protocol):
    """Speech for checkpoints that have no speech decoder."""

    def synthesize(self, text: str, speed: float = 1.0) -> AsyncIterator[Samples]:
        """Sound of one sentence at 24 kHz, in pieces; `speed` 1 is its usual one."""
        ...


class Transcriber(Protocol):
    """The words of recorded speech. Calls come from one thread at a time."""

    def transcribe(self, samples: Samples) -> str:
        """The words in `samples` [n] at 16 kHz, as written text; empty where nothing is said.
        It computes in the caller's thread."""
        ...
