"""Exclusive access to a stream: one caller at a time, and none once it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class StreamClosed(RuntimeError):
    """A closed stream was used."""


class StreamBusy(RuntimeError):
    """A stream was called while another call on it was still running."""


class ExclusiveAccess:
    """Lets one call at a time into a stream and none after `close`."""

    def __init__(self) -> None:
        self._running: str | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Hold the stream for one call. Raises StreamClosed, StreamBusy."""
        self.check(name)
        self._running = name
        try:
            yield
        finally:
            self._running = None

    def check(self, name: str) -> None:
        if self._closed:
            raise StreamClosed(f"{name} on a closed stream")
        if self._running is not None:
            raise StreamBusy(f"{name} while {self._running} is running")

    def close(self) -> bool:
        """Refuse every later call; False when it was closed already."""
        first, self._closed = not self._closed, True
        return first
