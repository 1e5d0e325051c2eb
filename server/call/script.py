"""The caller's room: what the caller is going to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.call.timeline import TimelineClip

if TYPE_CHECKING:
    from server.call.record import Happening


@dataclass(frozen=True, slots=True)
class Cue:
    """A clip and its moment: `at` seconds of the call, or `after_answer` seconds after the first
    audible sample of the next answer. With neither it follows the quiet after the cue before."""

    clip: TimelineClip
    at: float | None = None
    after_answer: float | None = None
    label: str = "query"
    expects_answer: bool = True


@dataclass(frozen=True, slots=True)
class Echo:
    """The speaker is heard by the microphone: `gain` in dB, `delay` in seconds."""

    gain: float
    delay: float


@dataclass(frozen=True, slots=True)
class Stall:
    """The line is dead from `at` for `seconds`; then all that was said arrives at once."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ClientBehaviour:
    """How the client behaves: does it truncate after a flush, acknowledge what it has played,
    and ask for explanations? `session` is merged into its session.update."""

    truncates: bool = False
    acknowledges: bool = False
    explains: bool = False
    flushes: bool = True
    session: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallScript:
    """All seconds. `typed`: a question with which the call begins, in writing. `length`: hang up
    then; None: when the last answer is finished. `linger`: hang up so long after the last cue (or,
    where it is answered, after the answer's first audible sample), whoever is speaking then.
    `patience`: how long an answer is waited for; `settle`: quiet after which a conversation is
    over; `enough`: given all that has happened and the second of the call, whether to hang up at
    once."""

    cues: tuple[Cue, ...] = ()
    typed: str | None = None
    length: float | None = None
    linger: float | None = None
    patience: float = 8.0
    settle: float = 1.0
    limit: float = 180.0
    echo: Echo | None = None
    stall: Stall | None = None
    behaviour: ClientBehaviour = ClientBehaviour()
    enough: Callable[[Sequence[Happening], float], bool] | None = None
    seed: int = 0
