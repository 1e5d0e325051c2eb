"""Traces on disk, written by a thread of their own: a slow disk delays no conversation."""

from __future__ import annotations

from concurrent.futures import Executor
from io import StringIO
from pathlib import Path

from duplex.trace import Record, TraceWriter

_FLUSH_AT = 16 * 1024  # letters; a few seconds of a conversation


class TraceFile:
    """An observer that appends one session's records to a file; `writer` runs one job at a time."""

    def __init__(self, path: Path, writer: Executor, *, words: bool) -> None:
        self._path = path
        self._writer = writer
        self._text = StringIO()
        self._trace = TraceWriter(self._text, words=words)

    def record(self, record: Record) -> None:
        self._trace.record(record)
        if self._text.tell() >= _FLUSH_AT:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        self._writer.submit(_append, self._path, text)


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
