"""tests: spoken conversations through the real server, its WebSocket and real vLLM engines."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pytest
import soxr
from websockets.asyncio.client import ClientConnection

from models.base import HEAR_RATE, SPEAK_RATE, Samples
from models.engines.vllm.engines import Engines
from models.engines.vllm.instance import VllmInstance
from models.vad import SileroDetector, SileroModel
from server.app import create_app
from server.serve import new_server
from server.service import Engine
from tests.models.engines.vllm.engine_room import clip
from tests.models.engines.vllm.test_death import kill, up_again
from tests.server.house import House, receive, silence

pytestmark = pytest.mark.timeout(600)
FRAME = 0.02  # seconds of one message
PATIENCE = 90.0  # seconds for an answer: a machine without a GPU, and perhaps a busy one


class EngineHouse(House):
    """A House over running engines and the detector that people get."""

    def __init__(self, engines: Engines, **settings: Any) -> None:
        super().__init__(**settings)
        silero = SileroModel()
        self.pair = VllmInstance(engines, "0a"), VllmInstance(engines, "0b")
        engine = Engine((self.pair,), lambda: SileroDetector(silero))
        self.app = create_app(self.settings, engine)
        self.service = self.app.state.service
        self._server = new_server(self.app, self.settings)

    async def __aenter__(self) -> EngineHouse:
        await super().__aenter__()
        return self

    async def readiness(self) -> tuple[int, str]:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"http://{self.host}/readyz")
        return answer.status_code, answer.json()["status"]


class Talker:
    """A client that speaks at playing speed, silence where there are no words."""

    def __init__(self, client: ClientConnection) -> None:
        self._client = client
        self._words: Samples = silence(0)
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()

    def say(self, samples: Samples) -> None:
        """Speak this, [n] at 16 kHz, from now on."""
        self._words = soxr.resample(samples, HEAR_RATE, SPEAK_RATE).astype(np.float32)

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The event of this type that makes them so many."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.all(kind)) >= count)
            return self.all(kind)[count - 1]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def speak(self) -> None:
        size, loop = round(FRAME * SPEAK_RATE), asyncio.get_running_loop()
        due = loop.time()
        while True:
            frame = np.zeros(size, np.float32)
            part, self._words = self._words[:size], self._words[size:]
            frame[: len(part)] = part
            sound = base64.b64encode((frame * 32767).astype("<i2").tobytes()).decode()
            event = {"type": "input_audio_buffer.append", "audio": sound}
            await self._client.send(json.dumps(event))
            due += FRAME
            await asyncio.sleep(due - loop.time())

    async def listen(self) -> None:
        async for message in self._client:
            async with self._news:
                self.events.append(json.loads(message))
                self._news.notify_all()


@asynccontextmanager
async def calling(house: House, **session: Any) -> AsyncIterator[Talker]:
    async with house.connect() as client:
        await receive(client, "session.created")
        session = {"type": "realtime"} | session
        await client.send(json.dumps({"type": "session.update", "session": session}))
        await receive(client, "session.updated")
        talker = Talker(client)
        tasks = [asyncio.create_task(talker.speak()), asyncio.create_task(talker.listen())]
        try:
            yield talker
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def transcript(done: dict[str, Any]) -> str:
    contents = [c for item in done["response"]["output"] for c in item.get("content", [])]
    return " ".join(content.get("transcript", "") for content in contents)


async def test_a_spoken_conversation_with_a_barge_in(nano: Engines) -> None:
    """A question, its answer; a second question over it stops it and is answered itself."""
    slow = {"output": {"speed": 0.5}}  # so that there is an answer to talk over
    async with EngineHouse(nano) as house, calling(house, audio=slow) as talker:
        talker.say(clip("question_en_capital"))
        await talker.until("response.output_audio.delta")
        talker.say(clip("question_en_sum"))
        first = await talker.until("response.done")
        assert first["response"]["status"] == "cancelled"
        assert first["response"]["status_details"]["reason"] == "turn_detected"
        second = await talker.until("response.done", count=2)
        assert second["response"]["status"] == "completed"
        assert transcript(second).strip()
        assert len(talker.all("response.created")) == 2
        deltas = talker.all("response.output_audio.delta")
        mine = [e for e in deltas if e["response_id"] == second["response"]["id"]]
        assert sum(len(base64.b64decode(event["delta"])) for event in mine) > SPEAK_RATE


async def test_a_session_outlives_its_engine(nano: Engines) -> None:
    """The engine dies under an answer: a terminal event, and the next question is answered."""
    slow = {"output": {"speed": 0.5}}
    async with EngineHouse(nano) as house:
        async with calling(house, audio=slow) as talker:
            assert await house.readiness() == (200, "ready")
            talker.say(clip("question_en_capital"))
            await talker.until("response.created")
            struck = [nano.mine(one.name) for one in house.pair]
            kill(struck[0])
            async with asyncio.timeout(PATIENCE):
                while struck[0].is_up:  # noqa: ASYNC110  there is no event for it
                    await asyncio.sleep(0.05)
            assert await house.readiness() == (503, "unhealthy")
            first = await talker.until("response.done")
            assert first["response"]["status"] in ("failed", "completed")
            talker.say(clip("question_en_sum"))
            second = await talker.until("response.done", count=2)
            assert second["response"]["status"] == "completed"
            assert transcript(second).strip()
        await up_again(struck[0])
        assert await house.readiness() == (200, "ready")
