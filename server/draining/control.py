"""server.draining: a Unix socket through which the operator asks for a drain and watches it.

Who may write to the file may drain the server; no route of the network does it. One line is a
request, and each line of the answer is a JSON object: {"status": "draining", "sessions": 3}.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson

from server.draining.drain import Drain

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 5.0  # in which a request must have arrived
LONGEST_REQUEST = 64  # bytes
REPORT_PERIOD = 0.5
_PRIVATE = 0o177  # nobody but the owner


class ControlSocket:
    """The listening end. `status` is what /readyz says."""

    def __init__(self, path: Path, drain: Drain, status: Callable[[], str]) -> None:
        self._path = path
        self._drain = drain
        self._status = status
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Raises OSError where the file cannot be made or another server listens there."""
        listening = await asyncio.to_thread(listening_socket, self._path)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listening, limit=LONGEST_REQUEST
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            with suppress(FileNotFoundError):
                await asyncio.to_thread(self._path.unlink)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = (await reader.readline()).strip()
            await self._answer(request, writer)
        except (TimeoutError, ValueError, ConnectionError):
            logger.info("a request on the control socket was no line, or nobody read its answer")
        finally:
            writer.close()

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        if request == b"drain":
            self._drain.begin()
            while not self._drain.ended.is_set():
                await self._report(writer)
                await asyncio.sleep(REPORT_PERIOD)
        elif request != b"status":
            writer.write(orjson.dumps({"error": "a request is 'drain' or 'status'"}) + b"\n")
            return
        await self._report(writer)

    async def _report(self, writer: asyncio.StreamWriter) -> None:
        state = {"status": self._status(), "sessions": self._drain.num_calls}
        writer.write(orjson.dumps(state) + b"\n")
        async with asyncio.timeout(REQUEST_SECONDS):
            await writer.drain()


def listening_socket(path: Path) -> socket.socket:
    """A bound socket that only the owner may write to. A file that a dead server left is replaced.

    Raises OSError.
    """
    if path.is_socket() and not _answers(path):
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_PRIVATE)
    try:
        made.bind(str(path))
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    made.listen()
    return made


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True
