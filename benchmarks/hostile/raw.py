"""A WebSocket client that sends whatever it is told to, right or wrong."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode

from benchmarks.driver import CallerLine

_LINES = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{key}\r\n"
)
_ALIVE = 30.0  # seconds for an answer to a question that is always answered


class RawClient:
    """`connect` opens it. `closed` is the code with which the server closed, None while it is open;
    events that come are counted in `seen` by their types, errors by their codes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.closed: int | None = None
        self.seen: dict[str, int] = {}
        self._probes: dict[str, asyncio.Event] = {}
        self._done: asyncio.Queue[dict[str, Any]] = asyncio.Queue(100)
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, line: CallerLine) -> RawClient:
        """Raises ConnectionError where the server refuses."""
        url = urlsplit(line.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        key = f"Authorization: Bearer {line.key}\r\n" if line.key else ""
        writer.write(_LINES.format(path=url.path, host=url.netloc, key=key).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            writer.close()
            raise ConnectionError(head.partition(b"\r\n")[0].decode())
        return cls(reader, writer)

    async def send(self, message: str | bytes) -> None:
        data = message if isinstance(message, bytes) else message.encode("utf-8", "surrogatepass")
        await self.send_raw(Frame(Opcode.TEXT, data).serialize(mask=True))

    async def send_event(self, kind: str, **fields: Any) -> None:
        await self.send(json.dumps({"type": kind, **fields}))

    async def send_raw(self, data: bytes) -> None:
        """Raises ConnectionError where the connection is no more."""
        self.writer.write(data)
        await self.writer.drain()

    async def is_alive(self) -> bool:
        """Whether the session still answers."""
        name = f"alive-{time.monotonic_ns()}"
        answered = self._probes[name] = asyncio.Event()
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_ALIVE):
                await self.send_event("conversation.item.retrieve", item_id="nobody", event_id=name)
                waiting = asyncio.create_task(answered.wait())
                await asyncio.wait({waiting, self._task}, return_when="FIRST_COMPLETED")
                waiting.cancel()
        del self._probes[name]
        return answered.is_set()

    def stop_reading(self) -> None:
        """Take in nothing more, as a client that hangs."""
        self._task.cancel()

    async def until_closed(self, patience: float) -> None:
        """Wait until the server has closed, or for so many seconds."""
        await asyncio.wait({self._task}, timeout=patience)

    async def next_done(self, patience: float) -> dict[str, Any]:
        """The next response that has ended. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            return await self._done.get()

    async def close(self) -> None:
        self.writer.transport.abort()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                opcode, data = await self._frame()
                if opcode is Opcode.CLOSE:
                    self.closed = int.from_bytes(data[:2]) if len(data) >= 2 else 1005
                elif opcode is Opcode.PING:
                    await self.send_raw(Frame(Opcode.PONG, data).serialize(mask=True))
                elif opcode is Opcode.TEXT:
                    self._take(json.loads(data))
        self.closed = 1006 if self.closed is None else self.closed

    async def _frame(self) -> tuple[Opcode, bytes]:
        first, length = await self._reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self._reader.readexactly(2))
        elif length == 127:
            length = int.from_bytes(await self._reader.readexactly(8))
        return Opcode(first & 15), await self._reader.readexactly(length)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "error":
            probe = self._probes.get(event["error"].get("event_id") or "")
            if probe is not None:
                probe.set()
                return
            kind = f"error {event['error']['code']}"
        elif kind == "response.done":
            with suppress(asyncio.QueueFull):
                self._done.put_nowait(event["response"])
        self.seen[kind] = self.seen.get(kind, 0) + 1
