"""The caller's room: all that is known about a call when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audio.frame import EMPTY, Samples
from server.call.script import Cue
from server.call.speaker import Piece, audible_span
from server.call.timeline import RATE, Placed
from server.call.voiced import Span


@dataclass(frozen=True, slots=True)
class Happening:
    """A server event without its sound, and the second of the call at which it came."""

    now: float
    event: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.event.get("type", ""))


@dataclass(frozen=True, slots=True, eq=False)
class RecordedAnswer:
    """One response as the caller got and played it."""

    response_id: str
    created: float
    item_id: str | None
    status: str  # in_progress if the call ended first
    reason: str | None
    transcript: str
    audible: Span | None  # as played
    played: tuple[Piece, ...]
    received: Samples  # [n] at 24 kHz, all that was sent
    done: float | None = None

    @property
    def cut(self) -> bool:
        """Whether it ended before its time."""
        return self.status == "cancelled" or self.seconds_played < len(self.received) / RATE - 1e-6

    @property
    def played_until(self) -> float:
        """When the speaker fell silent, in seconds (0.0 if it never spoke)."""
        return self.played[-1].end / RATE if self.played else 0.0

    @property
    def seconds_played(self) -> float:
        return sum(len(piece.samples) for piece in self.played) / RATE


@dataclass(frozen=True, slots=True)
class Lateness:
    """How well the caller itself kept time: appends made over 20 ms late, and the worst."""

    late: int = 0
    worst: float = 0.0
    frames: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CallRecord:
    """A finished call; all times are seconds since its first sample."""

    cues: tuple[tuple[Cue, Placed], ...]
    answers: tuple[RecordedAnswer, ...]
    happenings: tuple[Happening, ...]
    seconds: float
    lateness: Lateness
    underruns: int
    underrun_seconds: float
    user: Samples = field(default_factory=lambda: EMPTY)  # [n] at 24 kHz, as sent
    assistant: Samples = field(
        default_factory=lambda: EMPTY
    )  # [n] at 24 kHz, as played, same clock
    session_id: str = ""  # as the server names it, and its trace

    def events(self, *types: str) -> list[Happening]:
        """Happenings of these types, in order."""
        return [happening for happening in self.happenings if happening.type in types]

    @property
    def errors(self) -> list[str]:
        return errors(self.happenings)


def errors(happenings: Sequence[Happening]) -> list[str]:
    """What the server complained of, in order."""
    found = (one.event.get("error", {}) for one in happenings if one.type == "error")
    return [f"{error.get('code')}: {error.get('message')}" for error in found]


def collect_answers(
    happenings: list[Happening], played: list[Piece], arrived: list[Piece]
) -> tuple[RecordedAnswer, ...]:
    """The answers of a call in the order in which they were created."""
    created = [item for item in happenings if item.type == "response.created"]
    return tuple(_answer(item, happenings, played, arrived) for item in created)


def _answer(
    start: Happening, happenings: list[Happening], played: list[Piece], arrived: list[Piece]
) -> RecordedAnswer:
    response_id = str(start.event["response"]["id"])
    own = [item for item in happenings if item.event.get("response_id") == response_id]
    ended = [
        item
        for item in happenings
        if item.type == "response.done" and item.event["response"].get("id") == response_id
    ]
    response: dict[str, Any] = ended[0].event["response"] if ended else {"status": "in_progress"}
    mine = [piece for piece in played if piece.response_id == response_id and len(piece.samples)]
    sent = [piece.samples for piece in arrived if piece.response_id == response_id]
    audible = audible_span(mine)
    return RecordedAnswer(
        response_id=response_id,
        created=start.now,
        item_id=next(
            (piece.item_id for piece in arrived if piece.response_id == response_id), None
        ),
        status=str(response.get("status")),
        reason=(response.get("status_details") or {}).get("reason"),
        transcript=_transcript(own),
        audible=Span(*audible) if audible else None,
        played=tuple(mine),
        received=np.concatenate(sent) if sent else EMPTY,
        done=ended[0].now if ended else None,
    )


def _transcript(own: list[Happening]) -> str:
    spoken = ("response.output_audio_transcript.delta", "response.output_text.delta")
    return "".join(str(item.event.get("delta", "")) for item in own if item.type in spoken)
