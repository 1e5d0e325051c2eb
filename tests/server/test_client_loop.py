"""One client's loop behind any transport: a connection in memory, a conversation told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from duplex.events import CommitRequested, Event
from duplex.orchestrator import InputOverrun
from models.base import Samples, Tool
from server.client_loop import Bounds, ClientLoop
from server.config import Limits
from server.connections import BROKEN, NORMAL, Disconnected
from server.draining.drain import Leaving
from server.message_decoder import DecodingThreads, MessageDecoder
from server.metrics import Metrics
from server.realtime.decode import Decoder
from server.realtime.encode import Encoder
from server.realtime.model_names import ModelNames
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds
from server.resume.keeper import SnapshotKeeper
from tests.duplex.virtual import run_virtual
from tests.server.decoding import PCM_100MS


class MemoryConnection:
    """A connection without a network: what the client says, and what it is told."""

    def __init__(self, *messages: dict[str, Any] | None) -> None:
        self._messages = list(messages)
        self.told: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.left = asyncio.Event()

    async def receive(self) -> str | None:
        if not self._messages:
            await self.left.wait()
            raise Disconnected(NORMAL)
        message = self._messages.pop(0)
        return None if message is None else orjson.dumps(message).decode()

    async def send(self, event: bytes) -> None:
        self.told.append(orjson.loads(event))

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def has_left(self) -> bool:
        return self.left.is_set()

    def force_close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.left.set()

    def errors(self) -> list[str]:
        return [event["error"]["code"] for event in self.told if event["type"] == "error"]


class Backend:
    """A conversation; `hears` says what becomes of its sound."""

    backlog = 0.0

    def __init__(self, hears: Callable[[Samples], None]) -> None:
        self._hears = hears
        self.events: list[Event] = []
        self.broken = asyncio.Event()

    async def run(self) -> None:
        await self.broken.wait()
        raise ZeroDivisionError

    def hear(self, samples: Samples) -> None:
        self._hears(samples)

    def handle(self, event: Event) -> None:
        self.events.append(event)

    def change(self, *, instructions: tuple[str, ...], tools: tuple[Tool, ...]) -> None: ...

    def snapshot(self) -> Any: ...


def new_loop(connection: MemoryConnection, metrics: Metrics) -> ClientLoop:
    ids = WireIds("t")
    session = SessionConfig()
    decoder = MessageDecoder(Decoder(ids, session, 0.08, ModelNames("nano")), DecodingThreads())
    encoder = Encoder(ids, session, lambda _: None, None)
    keeper = SnapshotKeeper(None, session, ids.session_id, "nobody")
    return ClientLoop(
        connection, decoder, encoder, Bounds(Limits(), None, Leaving(), keeper), metrics
    )


def talk(
    connection: MemoryConnection, backend: Backend, seconds: float, metrics: Metrics | None = None
) -> int:
    async def main() -> int:
        loop = new_loop(connection, metrics or Metrics())
        asyncio.get_running_loop().call_later(seconds, connection.left.set)
        return await loop.run(backend)

    return run_virtual(main())


APPEND = {"type": "input_audio_buffer.append", "audio": PCM_100MS}
COMMIT = {"type": "input_audio_buffer.commit"}


def refuse(_: Samples) -> None:
    raise InputOverrun


def test_what_the_client_says_reaches_the_conversation_in_order() -> None:
    heard: list[Samples] = []
    connection, backend = MemoryConnection(APPEND, None, COMMIT), Backend(heard.append)
    assert talk(connection, backend, 1.0) == NORMAL
    assert sum(map(len, heard)) > 1500
    assert backend.events == [CommitRequested(None, held=0.002)]
    assert connection.told[0]["type"] == "session.created"
    assert connection.errors() == ["invalid_value"]  # the message that is no text
    assert connection.closed is None  # who has left is not told goodbye


def test_sound_that_can_never_be_heard_is_dropped_and_the_client_is_told() -> None:
    metrics = Metrics()
    connection, backend = MemoryConnection(APPEND, COMMIT), Backend(refuse)
    talk(connection, backend, 10.0, metrics)
    assert connection.errors() == ["input_audio_buffer_overrun"]
    assert backend.events == [CommitRequested(None, held=0.002)]  # it goes on
    dropped = next(iter(metrics.dropped_audio.collect())).samples[0].value
    assert 0.09 < dropped < 0.11


def test_sound_that_must_wait_is_not_dropped() -> None:
    heard: list[Samples] = []
    full = [True] * 20

    def hear(samples: Samples) -> None:
        if full:
            full.pop()
            raise InputOverrun
        heard.append(samples)

    connection = MemoryConnection(APPEND)
    talk(connection, Backend(hear), 5.0)
    assert connection.errors() == [] and np.concatenate(heard).size > 1500


def test_a_conversation_that_breaks_is_told_and_closed() -> None:
    connection, backend = MemoryConnection(), Backend(refuse)
    backend.broken.set()
    assert talk(connection, backend, 60.0) == BROKEN
    assert connection.errors() == ["server_error"]
    assert connection.closed == (BROKEN, "internal error")
