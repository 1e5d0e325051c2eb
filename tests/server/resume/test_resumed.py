"""A conversation goes on after its connection or its server was lost, as clients see it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from models.base import AssistantText, FunctionCall, UserSound, UserText
from server.config import DrainSettings, ResumeSettings
from server.resume.stores import StoreFailed
from tests.engine_script import EngineScript, ScriptedAnswer, ScriptedMemory
from tests.server.house import KEY, House, hear, receive
from tests.server.resume.resuming import (
    FUNCTION,
    MEMORY,
    SLOW,
    ask_to_be_kept,
    kept_token,
    lose,
    needs_redis,
    send,
    speak_turn,
    until_written,
    write_turn,
)


async def test_a_call_comes_back_with_all_that_was_said() -> None:
    known: list[ScriptedMemory] = []

    def answer(memory: ScriptedMemory) -> ScriptedAnswer:
        known.append(memory)
        return ScriptedAnswer("Nice to meet you.", word_seconds=0.05)

    async with House(EngineScript(answers=answer), resume=MEMORY) as house:
        client = await house.connect()
        token = await ask_to_be_kept(client, instructions="Be kind.", tools=[FUNCTION])
        said = await write_turn(client, "My name is Ada.")
        await lose(client)
        await house.until_empty()
        async with house.connect(f"resume={token}") as again:
            session = (await receive(again, "session.created"))["session"]
            assert session["instructions"] == "Be kind."
            assert session["tools"][0]["name"] == "weather"
            resumed = session["antiphon"]["resumed"]
            assert len(resumed["items"]) == 2 and resumed["items"][1] == said["id"]
            assert (resumed["cut"], resumed["unanswered"]) == (None, None)
            assert session["antiphon"]["resume_token"] != token
            await send(again, "conversation.item.retrieve", item_id=said["id"])
            kept = (await receive(again, "conversation.item.retrieved"))["item"]
            assert kept["content"][0]["transcript"] == "Nice to meet you."
            new = await write_turn(again, "What is my name?")
            assert new["id"] not in resumed["items"]
        texts = [item for item in known[-1].items if isinstance(item, UserText | AssistantText)]
        assert UserText("My name is Ada.") in texts
        assert AssistantText("Nice to meet you.") in texts


async def test_what_the_user_said_comes_back_as_sound() -> None:
    known: list[ScriptedMemory] = []

    def answer(memory: ScriptedMemory) -> ScriptedAnswer:
        known.append(memory)
        return ScriptedAnswer("Yes.", word_seconds=0.1)

    async with House(EngineScript(answers=answer), resume=MEMORY) as house:
        client = await house.connect()
        token = await ask_to_be_kept(client)
        await asyncio.gather(speak_turn(client), receive(client, "response.done"))
        await lose(client)
        await house.until_empty()
        async with house.connect(f"resume={token}") as again:
            created = await receive(again, "session.created")
            heard = created["session"]["antiphon"]["resumed"]["items"][0]
            await send(again, "conversation.item.retrieve", item_id=heard)
            item = (await receive(again, "conversation.item.retrieved"))["item"]
            assert len(item["content"][0]["audio"]) > 20_000
            await write_turn(again, "And now?")
    sounds = [item for item in known[-1].items if isinstance(item, UserSound)]
    assert sounds and sounds[0].samples is not None and len(sounds[0].samples) > 8_000


async def test_an_answer_that_was_playing_is_known_as_heard_so_far() -> None:
    async with House(EngineScript(answers=[SLOW]), resume=MEMORY) as house:
        client = await house.connect()
        token = await ask_to_be_kept(client)
        await send(client, "response.create")
        await hear(client, 1.0)
        await lose(client)
        await house.until_empty()
        async with house.connect(f"resume={token}") as again:
            created = await receive(again, "session.created")
            resumed = created["session"]["antiphon"]["resumed"]
            (item_id,) = resumed["items"]
            await send(again, "conversation.item.retrieve", item_id=item_id)
            item = (await receive(again, "conversation.item.retrieved"))["item"]
            words = item["content"][0]["transcript"].split()
            assert item["status"] == "incomplete"
            assert words == SLOW.text.split()[: len(words)] and 2 <= len(words) <= 5
            # The client knows better how much it has played.
            await send(
                again,
                "conversation.item.truncate",
                item_id=item_id,
                content_index=0,
                audio_end_ms=350,
            )
            await receive(again, "conversation.item.truncated")
            await send(again, "conversation.item.retrieve", item_id=item_id)
            item = (await receive(again, "conversation.item.retrieved"))["item"]
            assert item["content"][0]["transcript"].strip() == "one"


async def test_a_function_call_that_waits_for_its_output_comes_back() -> None:
    script = EngineScript(
        answers=lambda memory: (
            ScriptedAnswer("Sunny.", word_seconds=0.05)
            if any(type(item).__name__ == "FunctionOutput" for item in memory.items)
            else ScriptedAnswer(call=FunctionCall("weather", "{}"))
        )
    )
    async with House(script, resume=MEMORY) as house:
        client = await house.connect()
        token = await ask_to_be_kept(client, tools=[FUNCTION])
        call = await write_turn(client, "The weather?")
        await lose(client)
        await house.until_empty()
        async with house.connect(f"resume={token}") as again:
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sun"}
            await send(again, "conversation.item.create", item=output)
            await send(again, "response.create")
            done = await receive(again, "response.done")
            said = done["response"]["output"][0]["content"][0]["transcript"]
            assert said == "Sunny."


# --------------------------------------------------------------------------- on another server


@needs_redis
@pytest.mark.parametrize("carrier", ["query", "header", "subprotocol"])
async def test_another_server_goes_on(shared: dict[str, ResumeSettings], carrier: str) -> None:
    """The first one is still there and knows nothing of it: as after SIGKILL."""
    one, two = House(resume=shared["one"]), House(resume=shared["two"])
    async with one, two, one.connect() as client:
        token = await ask_to_be_kept(client)
        assert token.startswith("one.")
        said = await write_turn(client, "My name is Ada.")
        await until_written(one, token, said["id"])
        carriers: dict[str, dict[str, Any]] = {
            "query": {"query": f"resume={token}"},
            "header": {
                "additional_headers": {
                    "Authorization": f"Bearer {KEY}",
                    "X-Antiphon-Resume": token,
                }
            },
            "subprotocol": {"subprotocols": ["realtime", f"antiphon-resume.{token}"]},
        }
        async with two.connect(**carriers[carrier]) as again:
            created = await receive(again, "session.created")
            shown = created["session"]["antiphon"]
            assert said["id"] in shown["resumed"]["items"]
            assert shown["resume_token"].startswith("two.")
            assert again.subprotocol in (None, "realtime")


@needs_redis
async def test_the_store_reads_nothing(shared: dict[str, ResumeSettings], tmp_path: Path) -> None:
    from redis.asyncio import Redis

    async with House(resume=shared["one"]) as house, house.connect() as client:
        token = await ask_to_be_kept(client, instructions="A secret instruction.")
        said = await write_turn(client, "My name is Ada.")
        await until_written(house, token, said["id"])
        redis = Redis.from_url(shared["one"].store)
        everything = b""
        for key in await redis.keys("*"):
            everything += key + b"".join((await redis.hgetall(key)).values())
            assert 0 < await redis.pttl(key) <= 180_000
        await redis.aclose()
    assert len(everything) > 500
    for words in (b"Ada", b"secret", token.encode(), token.split(".")[1].encode(), KEY.encode()):
        assert words not in everything


@needs_redis
async def test_a_drained_call_goes_on_elsewhere(shared: dict[str, ResumeSettings]) -> None:
    drain = DrainSettings(seconds=0)
    one, two = House(resume=shared["one"], drain=drain), House(resume=shared["two"])
    async with one, two, one.connect() as client:
        await ask_to_be_kept(client)
        said = await write_turn(client, "My name is Ada.")
        one.service.drain.begin()
        error = (await receive(client, "error"))["error"]
        assert error["code"] == "session_draining"
        with pytest.raises(ConnectionClosed) as caught:
            await receive(client)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1012
        async with two.connect(f"resume={error['resume_token']}") as again:
            created = await receive(again, "session.created")
            assert said["id"] in created["session"]["antiphon"]["resumed"]["items"]


async def test_a_drained_call_that_asked_for_nothing_is_only_closed() -> None:
    async with House(resume=MEMORY, drain=DrainSettings(seconds=0)) as house:
        async with house.connect() as client:
            await receive(client, "session.created")
            house.service.drain.begin()
            with pytest.raises(ConnectionClosed):
                await receive(client)


# ----------------------------------------------------------------------------- the store fails


async def test_a_store_that_is_down_or_slow_disturbs_no_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: Any) -> None:
        await asyncio.sleep(0.5)
        raise StoreFailed("down")

    async with House(resume=MEMORY) as house, house.connect() as client:
        assert house.service.vault is not None
        monkeypatch.setattr(house.service.vault._store, "put", fail)
        await ask_to_be_kept(client)
        began = asyncio.get_running_loop().time()
        for number in range(3):
            await write_turn(client, f"Turn {number}.")
        assert asyncio.get_running_loop().time() - began < 6
        async with asyncio.timeout(5):
            text = ""
            while 'antiphon_resume_writes_total{outcome="failed"}' not in text:
                text = house.service.metrics.text().decode()
                await asyncio.sleep(0.05)


async def test_the_log_has_no_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with House(resume=MEMORY) as house:
        token = await kept_token(house)
        async with house.connect(f"resume={token}") as client:
            await receive(client, "session.created")
    assert "/v1/realtime" in caplog.text
    ours = [r for r in caplog.records if not r.name.startswith("websockets.client")]
    assert not any(token.split(".")[1] in record.getMessage() for record in ours)
