"""server.draining: uvicorn's server, for which the first SIGTERM is a request to drain."""

from __future__ import annotations

import asyncio
import signal
import socket
from types import FrameType

import uvicorn

from server.draining.drain import Drain


class DrainingServer(uvicorn.Server):
    """The server ends when it has drained. SIGINT and a second SIGTERM end it within seconds, as
    uvicorn does: what is open is closed with 1012."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_told = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        leaving = self._loop.create_task(self._leave())
        try:
            await super().serve(sockets)
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The interpreter calls this in the main thread, between any two instructions."""
        if sig == signal.SIGTERM and not self._is_told and self._loop is not None:
            self._is_told = True
            self._loop.call_soon_threadsafe(self._drain.begin)
        else:
            super().handle_exit(sig, frame)

    async def _leave(self) -> None:
        await self._drain.ended.wait()
        self.should_exit = True
