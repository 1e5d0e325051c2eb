"""A text/event-stream (server-sent events) in pieces of any size. Pure.

Source: the HTML standard, section 9.2.6. Only the data of events is of use here.
"""

from __future__ import annotations

import re

LONGEST_EVENT = 2**20  # bytes that one event may have
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a last "\r" may be half of "\r\n"


class EventStream:
    """Joins the pieces of an event stream and gives the data of each event that is complete.

    Bytes that are no UTF-8 become U+FFFD, so that one of them costs a letter and not the stream.
    """

    def __init__(self) -> None:
        self._pending = b""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[str]:
        """The data of the events that `piece` completes. Raises ValueError for an event longer
        than LONGEST_EVENT."""
        *lines, self._pending = _LINE_END.split(self._pending + piece)
        events = [data for line in lines if (data := self._take(line)) is not None]
        if len(self._pending) + self._size > LONGEST_EVENT:
            raise ValueError(f"an event has more than {LONGEST_EVENT} bytes")
        return events

    def end(self) -> list[str]:
        """The stream is over: the data of an event that no empty line has ended."""
        last = self._pending.removesuffix(b"\r")
        self._pending = b""
        found = [self._take(line) for line in (last, b"")]
        return [data for data in found if data is not None]

    def _take(self, line: bytes) -> str | None:
        """One line; the whole data if it is the empty line after an event."""
        if not line:
            data, self._data, self._size = self._data, [], 0
            return "\n".join(data) if data else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
            self._size += len(value)
        return None
