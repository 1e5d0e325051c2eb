"""server: handshakes that come while the models load wait for them, so that a restart ends no call.

Some clients give a session up after a few refusals within seconds, but wait longer for one answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.websockets import WebSocket

from server.admission import Denied


@dataclass(slots=True)
class LoadingQueue:
    """Counts the handshakes that wait. `most` of them may wait at a time, `patience` seconds."""

    most: int
    patience: float
    waiting: int = 0

    async def wait(self, websocket: WebSocket, loaded: asyncio.Future[None] | None) -> None:
        """Return once the models are loaded. Raises Denied where that takes too long, where too
        many wait already, and where the client has left."""
        if loaded is not None and loaded.done():
            return
        if loaded is None or self.waiting >= self.most:
            raise Denied(503, "loading", "The models are being loaded.")
        self.waiting += 1
        try:
            await self._wait(websocket, loaded)
        finally:
            self.waiting -= 1

    async def _wait(self, websocket: WebSocket, loaded: asyncio.Future[None]) -> None:
        await websocket.receive()  # the handshake itself; what follows can only be its end
        gone = asyncio.ensure_future(websocket.receive())
        try:
            await asyncio.wait(
                (loaded, gone), timeout=self.patience, return_when=asyncio.FIRST_COMPLETED
            )
            has_left = gone.done()
        finally:
            gone.cancel()
        if has_left or not loaded.done():
            raise Denied(503, "loading", "The models are still being loaded.")
