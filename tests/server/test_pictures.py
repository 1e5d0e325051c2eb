"""Drawn pictures and questions about them, through the real WebSocket, with the bundled model."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection

from models.engines.bundle import CONFIG, BundleConfig
from models.training.drawing import draw
from models.training.skills.numbers import spell
from models.training.skills.scene import SHAPES, PictureScene
from server.app import create_app, load_engine
from server.config import BUNDLED_MODEL
from server.service import Engine
from tests.server.house import House, LevelDetector, receive

SCENES = (
    PictureScene("", "blue", digit=7, seed=2**30 + 1),
    PictureScene("square", "red", 3, seed=2**30 + 2),
    PictureScene("", "green", digit=2, seed=2**30 + 3),
    PictureScene("star", "yellow", 1, seed=2**30 + 4),
    PictureScene("circle", "black", 5, seed=2**30 + 5),
    PictureScene("", "red", digit=4, seed=2**30 + 6),
)
THINGS = {name for shape in SHAPES for name in (shape, f"{shape}s")}
DIGITS = {spell(digit) for digit in range(10)} | {"number"}


def model_sees() -> bool:
    path = BUNDLED_MODEL / CONFIG
    return path.is_file() and BundleConfig.from_json(path.read_bytes()).model.vision is not None


pytestmark = pytest.mark.skipif(not model_sees(), reason="the bundled model has no eyes")


class NanoHouse(House):
    """A House over the bundled model."""

    def __init__(self) -> None:
        super().__init__()
        engine = Engine(load_engine(self.settings).pairs, LevelDetector)
        self.serve(create_app(self.settings, engine))


def as_url(scene: PictureScene) -> str:
    stored = io.BytesIO()
    Image.fromarray(draw(scene).pixels).save(stored, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"


async def send(client: ClientConnection, kind: str, **fields: object) -> None:
    await client.send(json.dumps({"type": kind, **fields}))


async def asked_about(house: House, scene: PictureScene, question: str, times: int = 1) -> str:
    """What is answered in a session of its own, after so many frames of the same thing."""
    image = {"type": "input_image", "image_url": as_url(scene), "detail": "low"}
    text = {"type": "input_text", "text": question}
    async with asyncio.timeout(60), house.connect() as client:
        await receive(client, "session.created")
        for part in (*[image] * times, text):
            item = {"type": "message", "role": "user", "content": [part]}
            await send(client, "conversation.item.create", item=item)
        await send(client, "response.create", response={"output_modalities": ["text"]})
        done = await receive(client, "response.done")
    assert done["response"]["status"] == "completed"
    said: str = done["response"]["output"][0]["content"][0]["text"]
    return said


def words(text: str) -> set[str]:
    return set(text.lower().strip(".").replace(",", "").split())


async def test_what_is_in_a_picture_decides_the_answer() -> None:
    async with NanoHouse() as house:
        answers = [await asked_about(house, scene, "what do you see") for scene in SCENES]
        again = await asked_about(house, SCENES[0], "what do you see")
        filmed = await asked_about(house, SCENES[1], "what do you see", times=3)
    assert again == answers[0]
    assert words(filmed) & THINGS
    fits = [
        words(answer) & (THINGS if scene.shape else DIGITS)
        for answer, scene in zip(answers, SCENES, strict=True)
    ]
    assert sum(map(bool, fits)) >= 5, answers
    assert len(set(answers)) >= 4
