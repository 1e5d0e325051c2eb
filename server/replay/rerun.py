"""The same events through the core of today: does it decide the same?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from duplex import actions
from duplex.events import SettingsChanged
from duplex.session import Session
from duplex.settings import Settings
from duplex.trace import Record, to_json

_TOKEN = re.compile(r"item_(.+)_\d+$")
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
    session = Session(token_of(kept), first_settings(kept))
    differences: list[Difference] = []
    for cause, recorded in _steps(kept):
        found = _give(session, cause)
        differences += _compare(cause, recorded, found)
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
    first = records[0].payload if records else None
    return first.settings if isinstance(first, SettingsChanged) else None


def _steps(records: list[Record]) -> Iterable[tuple[Record, list[Any]]]:
    """Each event or timer with the actions that followed it."""
    cause: Record | None = None
    actions: list[Any] = []
    for record in records:
        if record.direction == "action":
            actions.append(record.payload)
        elif record.direction in ("event", "timer"):
            if cause is not None:
                yield cause, actions
            cause, actions = record, []
    if cause is not None:
        yield cause, actions


def _give(session: Session, cause: Record) -> list[actions.Action]:
    if cause.direction == "timer":
        return session.handle_timer(cause.now)
    return session.handle(cause.payload, cause.now)


def _compare(cause: Record, recorded: list[Any], found: list[actions.Action]) -> list[Difference]:
    name = type(cause.payload).__name__ if cause.payload is not None else "timer"
    differences = []
    for index in range(max(len(recorded), len(found))):
        pair = [_shape(side[index]) if index < len(side) else None for side in (recorded, found)]
        if pair[0] != pair[1]:
            differences.append(Difference(cause.now, name, pair[0], pair[1]))
    return differences


def _shape(action: Any) -> dict[str, Any]:
    """An action without what was said."""
    shape = to_json(Record(0.0, "action", action), words=False)
    if shape.get("reason") in _SPOKEN_REASONS:
        shape["reason"] = "ignored"  # which of them it is called depends on the words
    return shape
