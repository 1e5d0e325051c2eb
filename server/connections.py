"""What a connection to one client is, and the WebSocket that is one.

This is the seam for transports. The Realtime session (`server.gate.RealtimeSession`) knows a
`Connection` and nothing of what carries it. Another transport is a file with another `Connection`
and a route in `server.app`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from server.transport import GONE_KEY, LARGE_TEXT_KEY, SCOPE_KEY, ForceClose

NORMAL, GOING_AWAY, NO_TEXT, POLICY, BROKEN, RESTART = (
    1000,
    1001,
    1007,
    1008,
    1011,
    1012,
)  # RFC 6455, 7.4
LOST = 1006  # nobody said goodbye


class Disconnected(Exception):
    """The client has left. `code` is its close code, NORMAL where it gave none."""

    def __init__(self, code: int = NORMAL) -> None:
        super().__init__(code)
        self.code = code


class Connection(Protocol):
    """One client's connection: events of the protocol as JSON text, in order, both ways."""

    async def receive(self) -> str | bytes | None:
        """The next event, a large one as bytes that may be no UTF-8; None for a message that is no
        text. Raises Disconnected."""
        ...

    async def send(self, event: bytes) -> None:
        """Give one event (JSON in UTF-8) to the transport; waits while the client does not read.
        Raises Disconnected."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye. Raises Disconnected where the client has left."""
        ...

    def has_left(self) -> bool:
        """Whether the client is known to have ended the connection, though there may be events of
        it that are not received yet."""
        ...

    def force_close(self, code: int, reason: str) -> None:
        """End the connection although the client takes nothing in; never blocks. A pending or
        later `receive` raises Disconnected."""
        ...


class WebSocketConnection:
    """An accepted WebSocket as a `Connection`."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected(message.get("code") or NORMAL)
        text: str | bytes | None = message.get("text", message.get(LARGE_TEXT_KEY))
        return text

    def has_left(self) -> bool:
        gone: Callable[[], bool] | None = self._websocket.scope.get(GONE_KEY)
        return gone is not None and gone()

    async def send(self, event: bytes) -> None:
        try:
            await self._websocket.send_text(event.decode())
        except (WebSocketDisconnect, RuntimeError):
            raise Disconnected(LOST) from None

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            raise Disconnected(LOST) from None

    def force_close(self, code: int, reason: str) -> None:
        force_close: ForceClose | None = self._websocket.scope.get(SCOPE_KEY)
        if force_close is not None:
            force_close(code, reason)
