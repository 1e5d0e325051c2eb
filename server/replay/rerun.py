"""The same events through the core of today: does it decide the same?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from duplex import actions
from duplex.endpointing import Settings
from duplex.events import Event, SettingsChanged
from duplex.session import Session
from duplex.trace import Record, TraceFormat, to_json

_TOKEN = re.compile(r"item_(.+)_\d+$")
# Fields of actions that traces of the first version do not have, or count otherwise.
_NEW_FIELDS = frozenset(
    {
        ("BeginHearing", "context"),
        ("FlushHearing", "silence"),
        ("EndHearing", "start"),
        ("StartAnswer", "context"),
        ("StartAnswer", "out_of_band"),
        ("ReplaceMonitor", "resume"),
        ("ResponseEnded", "item_id"),
        ("ResponseEnded", "input_tokens"),
        ("ResponseEnded", "output_tokens"),
    }
)
# Actions that the core asks for at other moments since then: the monitor is brought up to date, and
# asked for verdicts more often over an answer.
_NEW_PACE = (actions.SyncMonitor, actions.FlushHearing)
_Fields: TypeAlias = frozenset[tuple[str, str]]  # of an action: its type, and a field of it
_SPOKEN_REASONS = ("ignored-side-talk", "ignored-backchannel", "ignored-noise")


@dataclass(frozen=True, slots=True)
class Difference:
    """At second `now`, after `cause`, the core did `found` where the trace has `recorded`."""

    now: float
    cause: str
    recorded: dict[str, Any] | None
    found: dict[str, Any] | None


def rerun(records: Iterable[Record]) -> list[Difference]:
    """Give the recorded events to a fresh session and compare its actions with the recorded ones.

    Words count only by their length, so a trace without words can be replayed too.
    """
    kept = list(records)
    is_old = not any(isinstance(record.payload, TraceFormat) for record in kept)
    session = Session(token_of(kept), first_settings(kept))
    differences: list[Difference] = []
    for cause, recorded in _steps(kept):
        found = _give(session, cause)
        if is_old:
            found = [action for action in found if not isinstance(action, _NEW_PACE)]
            recorded = [action for action in recorded if not isinstance(action, _NEW_PACE)]
        differences += _compare(cause, recorded, found, _NEW_FIELDS if is_old else frozenset())
    return differences


def token_of(records: Iterable[Record]) -> str:
    """The session's own part of its item ids; "0" where no item was named."""
    for record in records:
        item_id = getattr(record.payload, "item_id", None)
        if record.direction == "action" and item_id and (match := _TOKEN.match(item_id)):
            return match[1]
    return "0"


def first_settings(records: list[Record]) -> Settings | None:
    """The settings at the very start, where the trace opens with them."""
    opening = (one.payload for one in records if not isinstance(one.payload, TraceFormat))
    first = next(opening, None)
    return first.settings if isinstance(first, SettingsChanged) else None


def _steps(records: list[Record]) -> Iterable[tuple[Record, list[Any]]]:
    """Each event or timer with the actions that followed it."""
    cause: Record | None = None
    done: list[Any] = []
    for record in records:
        if record.direction == "action":
            done.append(record.payload)
        elif record.direction in ("event", "timer"):
            if cause is not None:
                yield cause, done
            cause, done = record, []
    if cause is not None:
        yield cause, done


def _give(session: Session, cause: Record) -> list[actions.Action]:
    if isinstance(cause.payload, Event):
        return session.handle(cause.payload, cause.now)
    return session.handle_timer(cause.now)


def _compare(
    cause: Record,
    recorded: list[Any],
    found: list[actions.Action],
    without: _Fields,
) -> list[Difference]:
    name = type(cause.payload).__name__ if cause.payload is not None else "timer"
    differences = []
    for index in range(max(len(recorded), len(found))):
        sides = (recorded, found)
        pair = [_shape(side[index], without) if index < len(side) else None for side in sides]
        if pair[0] != pair[1]:
            differences.append(Difference(cause.now, name, pair[0], pair[1]))
    return differences


def _shape(action: Any, without: _Fields) -> dict[str, Any]:
    """An action without what was said, and without these fields."""
    written = to_json(Record(0.0, "action", action), words=False)
    shape = {key: value for key, value in written.items() if (written["type"], key) not in without}
    if shape.get("reason") in _SPOKEN_REASONS:
        shape["reason"] = "ignored"  # which of them it is called depends on the words
    return shape
