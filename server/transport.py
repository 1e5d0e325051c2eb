"""Uvicorn's WebSocket protocol, with an end for clients that no longer take part.

A close frame behind a full send buffer never leaves, and closing waits for that buffer: without
this, a client that stops reading would keep its connection for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SCOPE_KEY = "antiphon.expel"
GRACE = 2.0  # seconds in which an expelled client may still read why
ForceClose: TypeAlias = Callable[[int, str], None]


class Transport(WebSocketsSansIOProtocol):
    """Puts `expel` into the ASGI scope."""

    async def run_asgi(self) -> None:
        cast(dict[str, object], self.scope)[SCOPE_KEY] = self.force_close
        await super().run_asgi()

    def force_close(self, code: int, reason: str) -> None:
        """Close with a code, behind what is buffered; after the grace, cut the connection."""
        if self.disconnected or self.close_sent:
            self.transport.abort()
            return
        self.conn.send_close(code, reason)
        self._leave(code, reason)

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        """A frame that is too large, or no frame. What still comes in is thrown away for a while:
        closing at once would reset the connection before the client can read the code."""
        close = self.conn.close_sent
        assert close is not None
        self._leave(close.code, close.reason)

    def _leave(self, code: int, reason: str) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GRACE, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """A peer that answers no ping is gone: nothing will drain its buffer."""
        super().keepalive_timeout()
        self.transport.abort()
