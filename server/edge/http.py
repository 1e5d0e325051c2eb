"""Uvicorn's HTTP protocol, for clients that are slow or few bytes short of a request.

Until a request is whole nobody knows who asks: such connections are few, and have little time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import h11
from prometheus_client import Counter
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE = 1.0  # seconds in which an answer may still be read before the connection is cut


@dataclass(slots=True)
class HalfOpen:
    """The connections of one server without a whole request: at most `most`, for at most `seconds`.
    The oldest one gives way to the newest."""

    most: int
    seconds: float
    refusals: Counter
    waiting: dict[HttpProtocol, asyncio.TimerHandle] = field(default_factory=dict)

    def add(self, connection: HttpProtocol, loop: asyncio.AbstractEventLoop) -> None:
        self.remove(connection)
        if len(self.waiting) >= self.most:
            self._cut(next(iter(self.waiting)))
        self.waiting[connection] = loop.call_later(self.seconds, self._cut, connection)

    def remove(self, connection: HttpProtocol) -> None:
        timer = self.waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _cut(self, connection: HttpProtocol) -> None:
        self.remove(connection)
        self.refusals.labels("half_open").inc()
        connection.transport.abort()


class HttpProtocol(H11Protocol):
    """Counts itself among the half-open connections until its request is whole, and again between
    requests. An answer that comes before the whole body ends the connection."""

    def __init__(self, half_open: HalfOpen, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._half_open = half_open

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._half_open.add(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._half_open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._half_open.remove(self)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._half_open.remove(self)
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            self._leave()
            return
        if not self.transport.is_closing():
            self._half_open.add(self, self.loop)
        super().on_response_complete()

    def _leave(self) -> None:
        """What is left of the body is not read."""
        self.flow.pause_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(GRACE, self.transport.abort)
