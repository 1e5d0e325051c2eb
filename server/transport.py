"""Uvicorn's WebSocket protocol, for clients that flood, stop reading, or no longer take part.

Frames are counted before they are parsed; a client that sends too many is read more slowly, and is
not cut for the pong that waits behind its flood. A close frame behind a full send buffer never
leaves, and closing waits for that buffer: so a client that stops reading is cut after a while.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from server.edge.frames import FrameCounter
from server.realtime.budget import TokenBucket

SCOPE_KEY = "antiphon.expel"
GONE_KEY = "antiphon.gone"
LARGE_TEXT_KEY = "antiphon.text"  # of a message: its text as UTF-8 that nobody has checked
LARGE_TEXT = 64 * 1024  # bytes of a text that is not decoded on the event loop
GRACE = 2.0  # seconds in which an expelled client may still read why
FRAMES_A_SECOND = 2_000  # and as many at once; a message of an honest client is one or two
FRAMES_AT_ONCE = 64  # parsed before others have their turn: one to two milliseconds
# A largest message at once, then so many bytes: each is copied several times on its way in.
BYTES_A_SECOND, BYTES_AT_ONCE = 4 * 2**20, 24 * 2**20
MOST_FRAGMENTS = 4_096  # of one message
_NO_UTF8, _TOO_MANY = 1007, 1008
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_CLOSE_WAIT = 8  # linux/tcp_states.h
ForceClose: TypeAlias = Callable[[int, str], None]

logger = logging.getLogger(__name__)
# What the libraries would log: frames, headers and query strings, which hold words and keys.
_QUIET = logging.getLogger(f"{__name__}.wire")
_QUIET.setLevel(logging.WARNING)


class Transport(WebSocketsSansIOProtocol):
    """Puts `force_close` into the ASGI scope."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = self.conn.logger = _QUIET
        self.conn.debug = False
        self._frames = FrameCounter()
        self._allowance = TokenBucket(FRAMES_A_SECOND, FRAMES_A_SECOND, self.loop.time)
        self._volume = TokenBucket(BYTES_A_SECOND, BYTES_AT_ONCE, self.loop.time)
        self._held = bytearray()  # bytes that are not parsed yet
        self._later: asyncio.Handle | None = None  # when they will be
        self._received_at = 0.0

    async def run_asgi(self) -> None:
        scope = cast(dict[str, object], self.scope)
        scope[SCOPE_KEY], scope[GONE_KEY] = self.force_close, self.has_left
        await super().run_asgi()

    # --------------------------------------------------------------------------- what comes in

    def data_received(self, data: bytes) -> None:
        self._received_at = self.loop.time()
        if not self.handshake_initiated:
            self._shake_hands(data)
        elif self.conn.parser_exc is None:
            self._held += data
            if self._later is None:
                self._parse()
            else:
                self.transport.pause_reading()

    def _shake_hands(self, data: bytes) -> None:
        """The request, which the HTTP protocol hands over whole. What the libraries make of odd
        headers is a bad request, whichever exception it is."""
        try:
            super().data_received(data)
        except Exception as error:
            logger.info("a handshake could not be read (%s)", type(error).__name__)
            self.handshake_initiated = False
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            self.transport.close()

    def _parse(self) -> None:
        """Parse what is held, as far as frames may come and messages are wanted."""
        self._later = None
        frames = min(FRAMES_AT_ONCE, int(self._allowance.left))
        if self._held and not self.read_paused and frames and self._volume.left > 0:
            end, begun = self._frames.advance(self._held, frames)
            piece = bytes(self._held[:end])
            del self._held[:end]
            self._allowance.take(begun)
            self._volume.take(end)
            super().data_received(piece)
        if self.conn.parser_exc is not None:
            self._held.clear()
        if not self._held:
            if not self.read_paused:
                self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if not self.read_paused:
            wait = max(
                0.0,
                (1 - self._allowance.left) / FRAMES_A_SECOND,
                (1 - self._volume.left) / BYTES_A_SECOND,
            )
            self._later = self.loop.call_later(wait, self._parse)

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if self._later is None and not self.disconnected:
                self._parse()
        return message

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MOST_FRAGMENTS:
            self.conn.fail(_TOO_MANY, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """As uvicorn's, without a traceback for text that is none; a large text is handed on as it
        came."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
            self.frames = [data]
            if len(data) >= LARGE_TEXT:
                self._hand_on(data)
                return
            try:
                data.decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(_NO_UTF8, "no UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def _hand_on(self, data: bytes) -> None:
        self.frames = []
        message = {"type": "websocket.receive", LARGE_TEXT_KEY: data}
        self.queue.put_nowait(cast(Any, message))
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_ping(self) -> None:
        """A client that reads no pongs gets none, so that they do not pile up."""
        output = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(output)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._later is not None:
            self._later.cancel()
        self._held.clear()
        super().connection_lost(exc)

    # ----------------------------------------------------------------------------------- its end

    async def send(self, message: ASGISendEvent) -> None:
        """A refusal with plain HTTP completes the handshake; uvicorn would log an error instead."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def has_left(self) -> bool:
        """Whether the client has ended the connection, even while nothing is read of it."""
        return self.disconnected or _is_ended(self.transport.get_extra_info("socket"))

    def force_close(self, code: int, reason: str) -> None:
        """Close with a code, behind what is buffered; after the grace, cut the connection."""
        if self.disconnected or self.close_sent:
            self.transport.abort()
            return
        self.conn.send_close(code, reason)
        self._leave(code, reason)

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
        """A peer of which nothing has come since the ping is gone: nothing will drain its buffer.
        The pong of one that floods is still waiting to be read."""
        if self.read_paused or self._held or self._received_at >= self.ping_sent_at:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self.transport.abort()


def _is_ended(connection: Any) -> bool:
    """Whether the other side has sent its last byte: TCP's state is the first byte of what Linux
    tells of a connection. Elsewhere nobody knows before it is read."""
    if connection is None or _TCP_INFO is None:
        return False
    try:
        return bool(connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0] == _CLOSE_WAIT)
    except OSError:
        return True
