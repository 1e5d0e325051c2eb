"""Tiny checkpoints in the released layouts, served through the real WebSocket on the CPU."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection

from server.app import create_app, load_engine
from server.config import ServerSettings
from server.serve import new_server
from server.service import Engine
from tests.models.vita.released_folder import ANSWER, write_released
from tests.server.house import House, LevelDetector, frames, noise, receive, silence

TONE = (np.sin(np.arange(12_000) / 9) * 16_000).astype("<i2").tobytes()


class VitaHouse(House):
    """A House over what the settings name."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(device="cpu", **settings)

        def load(given: ServerSettings) -> Engine:
            return Engine(load_engine(given).pairs, LevelDetector)

        self.app = create_app(self.settings, load(self.settings))
        self.service = self.app.state.service
        self._server = new_server(self.app, self.settings)


async def ask(client: ClientConnection) -> tuple[str, int]:
    """Speak a question; what was answered, and how many bytes of sound came."""
    await receive(client, "session.created")
    for frame in frames(silence(0.2), noise(0.7), silence(0.8)):
        await client.send(json.dumps({"type": "input_audio_buffer.append", "audio": frame}))
        await asyncio.sleep(0.02)
    sound = 0
    async with asyncio.timeout(60):
        while (event := await receive(client))["type"] != "response.done":
            if event["type"] == "response.output_audio.delta":
                sound += len(base64.b64decode(event["delta"]))
    content = event["response"]["output"][0]["content"][0]
    assert event["response"]["status"] == "completed"
    return content["transcript"], sound


@asynccontextmanager
async def speech_endpoint() -> AsyncIterator[str]:
    """A small fake of /v1/audio/speech: half a second of a tone for whatever it is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = HTTPStatus.OK if head.startswith("POST /v1/audio/speech") else HTTPStatus.NOT_FOUND
        line = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: {len(TONE)}\r\n"
        writer.write(line.encode() + b"Connection: close\r\n\r\n" + TONE)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_vita_15_answers_with_its_own_voice(tmp_path: Path) -> None:
    folder = write_released(tmp_path / "VITA-1.5")
    async with VitaHouse(model=folder) as house, house.connect() as client:
        transcript, sound = await ask(client)
    assert transcript == ANSWER
    assert sound > 24_000


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
async def test_vita_10_answers_with_espeak(tmp_path: Path) -> None:
    folder = write_released(tmp_path / "VITA", "vita-1.0")
    house = VitaHouse(model=folder, synthesizer="espeak-ng")
    async with house, house.connect() as client:
        transcript, sound = await ask(client)
    assert transcript == ANSWER
    assert sound > 2 * 24_000 * 2


async def test_vita_10_answers_with_a_speech_endpoint(tmp_path: Path) -> None:
    folder = write_released(tmp_path / "VITA", "vita-1.0")
    async with speech_endpoint() as address:
        house = VitaHouse(model=folder, synthesizer=address)
        async with house, house.connect() as client:
            transcript, sound = await ask(client)
    assert transcript == ANSWER
    assert sound == pytest.approx(2 * len(TONE), rel=0.02)  # the answer is spoken in two chunks
