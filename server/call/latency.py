"""The caller's room: the latencies of a finished call, as docs define them, measured from outside.

Source of the definitions: docs/architecture.md, "How the numbers are defined". A time on the user's
side is that of the sample on the microphone's own time line, not of the message that carried it,
so the 20 ms that an append waits to be filled count against the server.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.call.record import CallRecord, RecordedAnswer
from server.call.script import Cue
from server.call.timeline import Placed

_DUCK_WITHIN = 0.5  # seconds after the overlap's end: what ducks later is something else
_DECIDED_WITHIN = 0.5


@dataclass(frozen=True, slots=True)
class MeasuredTurn:
    """One cue and what came of it; latencies in seconds, None where they do not apply.

    `response`: last voiced sample to first audible sample of the answer (negative: it was
    answered before its end). `stop`: first voiced sample of an interruption to the last audible
    sample of the old answer. `duck`: to the first sample at reduced gain as sent, from the
    server's own word for it (explanations on). `interruption`: `response` of an interruption.
    """

    label: str
    name: str
    first_voiced: float
    last_voiced: float
    over_answer: bool
    stopped: bool
    answered: bool
    response: float | None = None
    stop: float | None = None
    duck: float | None = None
    interruption: float | None = None
    transcript: str = ""
    decisions: tuple[str, ...] = ()


def turns(record: CallRecord) -> tuple[MeasuredTurn, ...]:
    """One turn for each cue of a call, in the order of the script."""
    return tuple(_turn(cue, placed, record) for cue, placed in record.cues)


def interrupted(placed: Placed, answers: tuple[RecordedAnswer, ...]) -> RecordedAnswer | None:
    """The answer that was being heard when the cue's voice began."""
    onset = placed.voiced.start
    for answer in reversed(answers):
        if answer.audible is not None and answer.audible.start < onset < answer.played_until:
            return answer
    return None


def replies(placed: Placed, record: CallRecord) -> list[RecordedAnswer]:
    """Audible answers that began after this cue's voice did and before the next query's."""
    onset = placed.voiced.start
    later = [
        other.voiced.start
        for cue, other in record.cues
        if other.voiced.start > onset and cue.expects_answer
    ]
    until = min(later, default=float("inf"))
    return [
        answer
        for answer in record.answers
        if answer.audible is not None and onset < answer.audible.start < until
    ]


def _turn(cue: Cue, placed: Placed, record: CallRecord) -> MeasuredTurn:
    voiced = placed.voiced
    old = interrupted(placed, record.answers)
    found = replies(placed, record)
    new = next((answer for answer in found if answer is not old), None)
    response = None
    if new is not None and new.audible is not None:
        response = new.audible.start - voiced.end
    stopped = old is not None and old.cut
    stop = old.audible.end - voiced.start if stopped and old and old.audible else None
    return MeasuredTurn(
        label=cue.label,
        name=placed.clip.name,
        first_voiced=voiced.start,
        last_voiced=voiced.end,
        over_answer=old is not None,
        stopped=stopped,
        answered=new is not None,
        response=response,
        stop=stop,
        duck=_duck(placed, record) if old is not None else None,
        interruption=response if old is not None else None,
        transcript=new.transcript if new is not None else "",
        decisions=_decisions(placed, record),
    )


def _duck(placed: Placed, record: CallRecord) -> float | None:
    onset = placed.voiced.start
    for state in record.events("antiphon.duck"):
        if onset <= state.now <= placed.voiced.end + _DUCK_WITHIN and state.event.get("ducked"):
            return state.now - onset
    return None


def _decisions(placed: Placed, record: CallRecord) -> tuple[str, ...]:
    """Reasons of the segments that overlap this cue, where the server explains itself."""
    voiced = placed.voiced
    return tuple(
        str(found.event.get("reason"))
        for found in record.events("antiphon.decision")
        if _milliseconds(found.event, "audio_start_ms") < voiced.end + _DECIDED_WITHIN
        and _milliseconds(found.event, "audio_end_ms") > voiced.start
    )


def _milliseconds(event: dict[str, object], key: str) -> float:
    value = event.get(key, 0)
    return float(value) / 1000 if isinstance(value, int | float) else 0.0
