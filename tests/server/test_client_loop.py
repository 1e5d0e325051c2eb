"""One client's loop behind any transport: a connection in memory, a conversation told of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from duplex.events import CommitRequested, Event
from duplex.orchestrator import InputOverrun
from models.base import HEAR_RATE, Samples, Tool
from server.client_loop import Bounds, ClientLoop
from server.config import Limits
from server.connections import BROKEN, NORMAL, Disconnected
from server.draining.drain import Leaving
from server.message_decoder import DecodingThreads, MessageDecoder
from server.metrics import Metrics
from server.realtime.budget import SOUND_AT_ONCE_S, BudgetSettings, SessionBudget
from server.realtime.decode import Decoder, LongAudioReceived
from server.realtime.encode import Encoder
from server.realtime.formats import AudioFormat, SoundReader
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
    ids = WireIds("t", SessionBudget(BudgetSettings(), asyncio.get_running_loop().time))
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


SECOND = {
    "type": "input_audio_buffer.append",
    "audio": base64.b64encode(bytes(48_000)).decode(),
}
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


def test_sound_is_taken_at_a_multiple_of_playing_speed_behind_the_first_of_it() -> None:
    heard: list[tuple[float, int]] = []
    connection = MemoryConnection(*[SECOND] * 120)

    def hear(samples: Samples) -> None:
        heard.append((asyncio.get_running_loop().time(), len(samples)))

    talk(connection, Backend(hear), 60.0)
    began = heard[0][0]
    at_once = sum(count for when, count in heard if when - began < 0.1) / HEAR_RATE
    assert SOUND_AT_ONCE_S <= at_once <= SOUND_AT_ONCE_S + 1
    assert sum(count for _, count in heard) / HEAR_RATE == pytest.approx(120, abs=0.1)
    assert heard[-1][0] - began == pytest.approx((120 - SOUND_AT_ONCE_S) / 4, abs=0.5)


def test_nobody_goes_on_to_take_the_sound_of_a_client_that_has_left() -> None:
    heard: list[Samples] = []
    connection = MemoryConnection(*[SECOND] * 120)
    talk(connection, Backend(heard.append), 5.0)
    assert sum(map(len, heard)) / HEAR_RATE < SOUND_AT_ONCE_S + 4 * 5 + 3


def test_of_an_append_that_is_far_too_long_the_rest_is_dropped_and_the_client_is_told() -> None:
    heard: list[Samples] = []

    class Long:
        async def decode(self, text: str) -> list[Any]:
            hours = LongAudioReceived(
                [bytes(420 * 8_000)], SoundReader(AudioFormat(type="audio/pcmu"))
            )
            return [hours] if "append" in text else []

        def pause(self) -> float:
            return 0.0

        def sound_pause(self, samples: int) -> float:
            return samples / HEAR_RATE / 4

    async def main() -> None:
        loop = new_loop(connection, Metrics())
        loop._decoder = Long()  # type: ignore[assignment]
        asyncio.get_running_loop().call_later(300.0, connection.left.set)
        await loop.run(Backend(heard.append))

    connection = MemoryConnection(APPEND, COMMIT)
    run_virtual(main())
    assert connection.errors() == ["input_audio_buffer_overrun"]
    assert sum(map(len, heard)) / HEAR_RATE == pytest.approx(80, abs=1)


def test_messages_that_take_long_to_read_are_read_more_slowly() -> None:
    """A client whose messages take longer than a quarter of the time waits at its own expense."""
    times: list[float] = []

    class Slow:
        async def decode(self, text: str) -> list[Any]:
            times.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.5)
            return []

        def pause(self) -> float:
            return 0.0

    async def main() -> None:
        loop = new_loop(connection, Metrics())
        loop._decoder = Slow()  # type: ignore[assignment]
        asyncio.get_running_loop().call_later(60.0, connection.left.set)
        await loop.run(Backend(refuse))

    connection = MemoryConnection(*[COMMIT] * 10)
    run_virtual(main())
    assert times[1] - times[0] == pytest.approx(0.5)  # some may be done at once
    assert times[-1] - times[-2] == pytest.approx(2.0)


def test_a_conversation_that_breaks_is_told_and_closed() -> None:
    connection, backend = MemoryConnection(), Backend(refuse)
    backend.broken.set()
    assert talk(connection, backend, 60.0) == BROKEN
    assert connection.errors() == ["server_error"]
    assert connection.closed == (BROKEN, "internal error")
