"""One record per event and action: write, read, and give them back as they were.

A record is one JSON line: session time, direction, type name, fields. Production writes it, a bug
report attaches it, tests replay it, metrics are counted from it, benchmarks measure on it.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

import numpy as np
import orjson

import models.base
from duplex import actions, events, settings
from duplex.conversation import ContextEntry, OutdatedPicture

Direction = Literal["event", "action", "timer", "note"]
# Fields that hold what people said; blanked letter by letter unless the operator wants words.
SPOKEN_FIELDS = frozenset(
    {"text", "words", "heard", "transcript", "arguments", "output", "instructions"}
)


@dataclass(frozen=True, slots=True)
class Record:
    """`now` is session time in seconds; `payload` an event, an action, or None for a timer."""

    now: float
    direction: Direction
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure that the shell noticed: catch_up_seconds, hear_rtf, unresponsive_instances."""

    what: str
    value: float


class Observer(Protocol):
    """Whoever watches a session: the trace, the metrics."""

    def record(self, record: Record) -> None: ...


class TraceWriter:
    """Writes records as lines. `words` False blanks what was said."""

    def __init__(self, file: TextIO, *, words: bool = False) -> None:
        self._file = file
        self._words = words

    def record(self, record: Record) -> None:
        line = orjson.dumps(to_json(record, words=self._words))
        self._file.write(line.decode() + "\n")

    def close(self) -> None:
        self._file.close()


def to_json(record: Record, *, words: bool = True) -> dict[str, Any]:
    data: dict[str, Any] = {"now": round(record.now, 6), "direction": record.direction}
    if record.payload is not None:
        data["type"] = type(record.payload).__name__
        data |= _fields(record.payload, words)
    return data


def _fields(value: Any, words: bool) -> dict[str, Any]:
    fields = {}
    for field in dataclasses.fields(value):
        item = _plain(getattr(value, field.name), words)
        if not words and field.name in SPOKEN_FIELDS and isinstance(item, str):
            item = "".join("*" if letter.isalnum() else letter for letter in item)
        fields[field.name] = item
    return fields


def _plain(value: Any, words: bool) -> Any:
    if isinstance(value, ContextEntry):
        return value.key
    if dataclasses.is_dataclass(value):
        return {"type": type(value).__name__, **_fields(value, words)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        return None  # sound and pixels are no part of a trace
    if isinstance(value, dict):
        return {key: _blank(key, _plain(item, words), words) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, words) for item in value]
    return value


def _blank(key: str, value: Any, words: bool) -> Any:
    if words or key not in SPOKEN_FIELDS or not isinstance(value, str):
        return value
    return "".join("*" if letter.isalnum() else letter for letter in value)


# ------------------------------------------------------------------------------------ reading


@cache
def _types() -> dict[str, type]:
    return {
        name: kind
        for module in (models.base, settings, events, actions)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    } | {"Measured": Measured}


def from_json(data: dict[str, Any]) -> Record:
    """Undo `to_json`. Raises ValueError on a type that this version does not know."""
    rest = {key: value for key, value in data.items() if key not in ("now", "direction", "type")}
    name = data.get("type")
    payload = None
    if name is not None:
        if name not in _types():
            raise ValueError(f"unknown record type {name!r}")
        payload = _build(_types()[name], rest)
    return Record(data["now"], data["direction"], payload)


def read_trace(path: Path) -> Iterator[Record]:
    """The records of a trace file. Raises ValueError naming the line that is none."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield from_json(orjson.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error


def _build(kind: type, data: dict[str, Any]) -> Any:
    hints = _hints(kind)
    return kind(**{name: _restore(hints[name], value) for name, value in data.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _restore(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, dict) and value.get("type") in _types() and origin is not dict:
        rest = {key: item for key, item in value.items() if key != "type"}
        return _build(_types()[value["type"]], rest)
    if origin in (typing.Union, types.UnionType):
        plain = [argument for argument in arguments if argument is not type(None)]
        return _restore(plain[0], value)
    if origin is tuple and isinstance(value, list):
        return tuple(_restore(arguments[0], item) for item in value)
    if hint is ContextEntry:
        return ContextEntry(value, OutdatedPicture())
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
