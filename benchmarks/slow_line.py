"""A TCP line that can be made slow or cut, between a server and its store."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_PIECE = 64 * 1024


class SlowLine:
    """`async with SlowLine(path)`: listens on `port` and passes bytes on to a Unix socket. `delay`:
    seconds by which each piece is late, either way; None: nothing passes at all. Connections stay
    open whatever it is."""

    def __init__(self, target: Path) -> None:
        self.delay: float | None = 0.0
        self.port = 0
        self._target = target
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SlowLine:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, delay: float | None) -> None:
        """From now on."""
        self.delay = delay
        self._changed.set()
        self._changed = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_unix_connection(str(self._target))
                ways = (self._pass(reader, far_writer), self._pass(far_reader, writer))
                await asyncio.gather(*ways)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(_PIECE):
                while self.delay is None:
                    await self._changed.wait()
                await asyncio.sleep(self.delay)
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()
