"""Rules of the wire that need a whole server: what comes close together, what is nearly wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from audio.g711 import encode_mu_law
from audio.pcm import encode_pcm16
from models.base import SPEAK_RATE, FunctionCall
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import House, noise

TEXT_ONLY = {"output_modalities": ["text"]}


class Line:
    """One bare connection; every event is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, *kinds: str, count: int = 1) -> dict[str, Any]:
        """The last of the next `count` events of these types."""
        async with asyncio.timeout(15):
            while True:
                self.events.append(json.loads(await self._socket.recv()))
                count -= self.events[-1]["type"] in kinds
                if not count:
                    return self.events[-1]

    async def configure(self, **session: Any) -> None:
        await self.send("session.update", session={"type": "realtime", **session})
        assert (await self.until("session.updated", "error"))["type"] == "session.updated"

    def of_type(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] in kinds]


def user(text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


# ------------------------------------------------------------------------------ the buffer's bound

FORMATS = [
    ({"type": "audio/pcm", "rate": 24_000}, 24_000, encode_pcm16),
    ({"type": "audio/pcm", "rate": 48_000}, 48_000, encode_pcm16),
    ({"type": "audio/pcm", "rate": 16_000}, 16_000, encode_pcm16),
    ({"type": "audio/pcmu"}, 8_000, encode_mu_law),
]


@pytest.mark.parametrize(("form", "rate", "encode"), FORMATS)
async def test_a_commit_of_exactly_100_ms_is_taken_and_less_is_not(
    house: House, form: Any, rate: int, encode: Any
) -> None:
    async with house.connect() as socket:
        line = Line(socket)
        await line.configure(audio={"input": {"format": form, "turn_detection": None}})
        for samples, expected in (
            (rate // 10, "input_audio_buffer.committed"),
            (rate // 10, "input_audio_buffer.committed"),
            (rate // 10 - rate // 200, "error"),
        ):
            sound = base64.b64encode(encode(noise(samples / SPEAK_RATE))).decode()
            await line.send("input_audio_buffer.append", audio=sound)
            await line.send("input_audio_buffer.commit")
            said = await line.until("input_audio_buffer.committed", "error")
            assert said["type"] == expected, (samples, said)


# --------------------------------------------------------------------------- in the order they came


async def test_a_reference_right_behind_a_delete_or_a_refused_item_reads_nothing(
    house: House,
) -> None:
    refers = {"conversation": "none", "input": [{"type": "item_reference", "id": "one"}]}
    async with house.connect() as socket:
        line = Line(socket)
        await line.configure(**TEXT_ONLY)
        await line.send("conversation.item.create", item=user("hi", id="one"))
        await line.send("conversation.item.delete", item_id="one")
        await line.send("response.create", response=refers)
        await line.send(
            "conversation.item.create", item=user("hi", id="one"), previous_item_id="nowhere"
        )
        await line.send("response.create", response=refers)
        await line.until("error", count=3)
        params = [event["error"]["param"] for event in line.of_type("error")]
        assert params == ["response.input[0].id", "previous_item_id", "response.input[0].id"]
        # Refused answers apart leave their places to others.
        for _ in range(house.settings.budget.out_of_band):
            await line.send("response.create", response={"conversation": "none"})
        await line.until("response.done", count=house.settings.budget.out_of_band)


async def test_every_previous_item_was_told_and_every_id_is_given_once() -> None:
    call = FunctionCall("weather", "{}")
    script = EngineScript(answers=lambda memory: (
        ScriptedAnswer("Sunny.")
        if any(type(item).__name__ == "FunctionOutput" for item in memory.items)
        else ScriptedAnswer(call=call)
    ))  # fmt: skip
    async with House(script) as house, house.connect() as socket:
        line = Line(socket)
        await line.configure(**TEXT_ONLY, tools=[{"type": "function", "name": "weather"}])
        token = line.of_type("session.created")[0]["session"]["id"].removeprefix("sess_")
        for number in range(1, 6):  # the very names that the server would give
            await line.send(
                "conversation.item.create", item=user("hi", id=f"item_{token}_{number}")
            )
        await line.send("response.create")
        called = await line.until("response.function_call_arguments.done")
        await line.until("response.done")
        output = {"type": "function_call_output", "call_id": called["call_id"], "output": "5"}
        await line.send("conversation.item.create", item=output)
        await line.send("conversation.item.create", item=output | {"call_id": "call_other"})
        refused = (await line.until("error"))["error"]
        assert refused["code"] == "invalid_tool_call_id"
        await line.send("response.create")
        await line.send("conversation.item.delete", item_id=f"item_{token}_5")
        await line.until("response.done")
    told: list[str | None] = [None]
    for event in line.events:
        if event["type"] == "conversation.item.added":
            assert event["previous_item_id"] in told
            assert event["item"]["id"] not in told
            told.append(event["item"]["id"])
        elif event["type"] == "conversation.item.deleted":
            told.remove(event["item_id"])
    assert len(told) == 8  # None, four of the client, the call, its output, the answer


# --------------------------------------------------------------------------------- long histories


async def test_an_answer_apart_is_given_in_a_conversation_longer_than_the_model() -> None:
    script = EngineScript(answers=lambda _: ScriptedAnswer("Yes."), capacity=120)
    async with House(script) as house, house.connect() as socket:
        line = Line(socket)
        await line.configure(**TEXT_ONLY)
        for number in range(60):
            await line.send("conversation.item.create", item=user(f"this is number {number}"))
        for response in ({"conversation": "none"}, {}):
            await line.send("response.create", response=response)
            done = (await line.until("response.done"))["response"]
            assert done["status"] == "completed", done["status_details"]


async def test_required_without_functions_says_why_not(house: House) -> None:
    async with house.connect() as socket:
        line = Line(socket)
        await line.configure(**TEXT_ONLY)
        await line.send("response.create", response={"tool_choice": "required"})
        assert (await line.until("error"))["error"]["param"] == "response.tool_choice"
        await line.send("response.create")
        assert (await line.until("response.done"))["response"]["status"] == "completed"
