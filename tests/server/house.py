"""A real server on a free port, with scripted models, in the test's own event loop."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blockbuster import BlockBuster
from fastapi import FastAPI
from openai import AsyncOpenAI
from websockets.asyncio.client import ClientConnection, connect

from models.base import SPEAK_RATE, Samples, VoiceActivityDetector
from server.app import create_app
from server.config import ServerSettings
from server.serve import new_server
from server.service import Engine, Service
from tests.engine_script import EngineScript
from tests.scripted_engine import ScriptedInstance
from tests.server.judge import check_event

KEY = "test-key-one"


class LevelDetector:
    """Voice is whatever is loud: a deterministic stand-in for a network."""

    window = 512

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)

    async def detect(self, samples: Samples) -> Sequence[float]:
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // self.window * self.window
        self._rest = joined[whole:]
        levels = np.abs(joined[:whole].reshape(-1, self.window)).mean(axis=1)
        return [0.95 if level > 0.01 else 0.02 for level in levels]

    def reset(self) -> None:
        self._rest = np.zeros(0, np.float32)


class House:
    """`async with House(...)`: settings as keyword arguments, models by script."""

    def __init__(
        self,
        script: EngineScript | None = None,
        detector: Callable[[], VoiceActivityDetector] = LevelDetector,
        **settings: Any,
    ) -> None:
        self.instances = (
            ScriptedInstance(script, name="a"),
            ScriptedInstance(script, name="b"),
        )
        given: dict[str, Any] = {
            "port": 0,
            "api_keys": [KEY, "test-key-two"],
            "sessions_per_pair": 2,
        }
        self.settings = ServerSettings(**(given | settings))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.serve(create_app(self.settings, Engine((self.instances,), detector)))
        # From start to end, a call of ours that blocks the event loop breaks the session.
        self._guard = BlockBuster(["server", "duplex", "audio"])

    def serve(self, app: FastAPI) -> None:
        """What is served from the start on."""
        self.app = app
        self.service: Service = app.state.service
        self._server = new_server(app, self.settings)

    async def __aenter__(self) -> House:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self.service.started.wait()
        assert self.service.loaded is not None
        await self.service.loaded
        self._guard.activate()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._guard.deactivate()
        self._server.should_exit = True
        await self._task
        self._socket.close()

    # ------------------------------------------------------------------------------ clients

    @property
    def sdk(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=KEY, base_url=f"http://{self.host}/v1", max_retries=0)

    def connect(self, query: str = "model=nano", **options: Any) -> connect:
        """A bare WebSocket client with a valid key, unless `additional_headers` say otherwise."""
        headers = options.pop("additional_headers", {"Authorization": f"Bearer {KEY}"})
        return connect(
            f"ws://{self.host}/v1/realtime?{query}",
            additional_headers=headers,
            proxy=None,
            max_size=None,
            **options,
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something of the server is so."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.01)

    async def until_empty(self) -> None:
        """Wait until every session has given its lease back, and what is kept of it is written."""
        service = self.service
        async with asyncio.timeout(10):
            while service.admission.taken or service.drain.num_calls:  # noqa: ASYNC110  no event
                await asyncio.sleep(0.01)

    async def until_no_connections(self) -> None:
        """Wait until the server has noticed that nobody is connected."""
        async with asyncio.timeout(10):
            while self._server.server_state.connections:  # noqa: ASYNC110  no event
                await asyncio.sleep(0.01)


async def receive(client: ClientConnection, kind: str = "") -> dict[str, Any]:
    """The next event, or the next of that type; all are judged."""
    async with asyncio.timeout(10):
        while True:
            event: dict[str, Any] = json.loads(await client.recv())
            check_event(event)
            if kind in ("", event["type"]):
                return event


async def hear(client: ClientConnection, seconds: float) -> None:
    """Take events in until so much more of an answer has come (PCM at 24 kHz)."""
    samples = 0
    while samples < seconds * SPEAK_RATE:
        event = await receive(client, "response.output_audio.delta")
        samples += len(base64.b64decode(event["delta"])) // 2


def noise(seconds: float, level: float = 0.3) -> Samples:
    """Loud sound, [n] at 24 kHz; the same each time."""
    count = round(seconds * SPEAK_RATE)
    return np.random.default_rng(1).uniform(-level, level, count).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SPEAK_RATE), np.float32)


def frames(*parts: Samples) -> list[str]:
    """20 ms pieces as base64 PCM at 24 kHz."""
    joined = np.concatenate(parts)
    pieces = [joined[at : at + 480] for at in range(0, len(joined), 480)]
    return [base64.b64encode((p * 32767).astype("<i2").tobytes()).decode() for p in pieces]
