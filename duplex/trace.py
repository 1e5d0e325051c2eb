"""One record per event and action: write, read, and give them back as they were.

A record is one JSON line: session time, direction, type name, fields. Production writes it, a bug
report attaches it, tests replay it, metrics are counted from it, benchmarks measure on it. The
first record names the version of the format; traces of the first version have no such record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TextIO, TypeAlias

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError

from duplex.actions import Action
from duplex.events import Event
from duplex.tagged import TAGGED

VERSION = 2
Direction: TypeAlias = Literal["event", "action", "timer", "note"]
# Fields that hold what people said; blanked letter by letter unless the operator wants words.
SPOKEN_FIELDS = frozenset(
    {"text", "words", "heard", "transcript", "arguments", "output", "instructions"}
)
# What records of the first version are called today.
_RENAMED = {"MarkIll": "ReplaceMonitor", "stuck_instances": "unresponsive_instances"}

# How a session behaved before its settings could say so.
_BEFORE = {"transcript_ahead": True, "audio_gap": 0.0, "speaker_profile": False}


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """The version of the records that follow."""

    version: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure that the shell noticed: catch_up_seconds, hear_rtf, unresponsive_instances."""

    what: str
    value: float


Payload: TypeAlias = Event | Action | Measured | TraceFormat
_PAYLOAD: TypeAdapter[Payload] = TypeAdapter(
    Annotated[Payload, TAGGED], config=ConfigDict(arbitrary_types_allowed=True)
)


@dataclass(frozen=True, slots=True)
class Record:
    """`now` is session time in seconds; `payload` an event, an action, or None for a timer."""

    now: float
    direction: Direction
    payload: Payload | None = None


class Observer(Protocol):
    """Whoever watches a session: the trace, the metrics."""

    def record(self, record: Record) -> None: ...


class TraceWriter:
    """Writes records as lines. `words` False blanks what was said."""

    def __init__(self, file: TextIO, *, words: bool = False) -> None:
        self._file = file
        self._words = words
        self._is_begun = False

    def record(self, record: Record) -> None:
        if not self._is_begun:
            self._is_begun = True
            self._write(Record(record.now, "note", TraceFormat(VERSION)))
        self._write(record)

    def close(self) -> None:
        self._file.close()

    def _write(self, record: Record) -> None:
        self._file.write(orjson.dumps(to_json(record, words=self._words)).decode() + "\n")


def to_json(record: Record, *, words: bool = True) -> dict[str, Any]:
    """The record as plain data. Sound and pixels are no part of it."""
    data: dict[str, Any] = {"now": round(record.now, 6), "direction": record.direction}
    if record.payload is not None:
        dumped = _PAYLOAD.dump_python(record.payload, mode="json", fallback=lambda _: None)
        data |= dumped if words else _blanked(dumped)
    return data


def _blanked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _blanked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_blanked(item) for item in value]
    if isinstance(value, str) and key in SPOKEN_FIELDS:
        return "".join("*" if letter.isalnum() else letter for letter in value)
    return value


def from_json(data: dict[str, Any]) -> Record:
    """Undo `to_json`. Raises ValueError on a record that this version does not know."""
    payload = None
    if "type" in data:
        fields = {key: value for key, value in data.items() if key not in ("now", "direction")}
        for key in ("type", "what"):
            if fields.get(key) in _RENAMED:
                fields[key] = _RENAMED[fields[key]]
        if isinstance(fields.get("settings"), dict):
            fields["settings"] = _BEFORE | fields["settings"]
        payload = _PAYLOAD.validate_python(fields)
    return Record(data["now"], data["direction"], payload)


def read_trace(path: Path) -> Iterator[Record]:
    """The records of a trace file. Raises ValueError naming the line that is none."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield from_json(orjson.loads(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise ValueError(f"{path.name}:{number}: {where}: {first['msg']}") from error
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error
