"""Traces on disk, written by a thread of their own: a slow disk delays no conversation."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from io import StringIO
from pathlib import Path
from threading import Lock

from duplex.trace import Record, TraceWriter

logger = logging.getLogger(__name__)

_FLUSH_AT = 16 * 1024  # letters; a few seconds of a conversation
_MAX_PENDING = 64  # pieces that may wait for the disk, about 1 MB; more are lost


class TraceFile:
    """An observer that appends one session's records to a file; `writer` runs one job at a time.

    `on_lost` is told of each piece that could not be written: the disk is full, or too slow.
    """

    def __init__(
        self, path: Path, writer: Executor, *, words: bool, on_lost: Callable[[], None]
    ) -> None:
        self._path = path
        self._writer = writer
        self._on_lost = on_lost
        self._text = StringIO()
        self._trace = TraceWriter(self._text, words=words)
        self._num_pending = 0
        self._has_lost = False
        self._lock = Lock()  # the writer's thread counts, too

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
        if self._num_pending >= _MAX_PENDING:
            self._lose("the disk is too slow")
            return
        with self._lock:
            self._num_pending += 1
        self._writer.submit(_append, self._path, text).add_done_callback(self._written)

    def _written(self, written: Future[None]) -> None:
        with self._lock:
            self._num_pending -= 1
        if error := written.exception():
            self._lose(str(error))

    def _lose(self, reason: str) -> None:
        """Logged once a session, counted each time."""
        if not self._has_lost:
            self._has_lost = True
            logger.warning("a piece of the trace %s is lost: %s", self._path.name, reason)
        self._on_lost()


def fault_of(folder: Path) -> str:
    """What is wrong with a folder for traces, in one line; empty if they can be written."""
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
    except OSError as error:
        said = error.strerror or str(error)
        return f"trace_directory: nothing can be written to {folder} ({said}); there are no traces"
    return ""


def make_folder(folder: Path) -> None:
    """What is new of it is for the server's own user."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _append(path: Path, text: str) -> None:
    """To a file that nobody else may read: it tells who said what, and when."""
    make_folder(path.parent)
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with open(opened, "a", encoding="utf-8") as file:
        file.write(text)
