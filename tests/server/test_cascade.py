"""A language model by address, spoken to over a real server: it works, fails, and is well again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.scripted_chat import ReplyRule, ScriptedChat, ScriptedReply
from server.app import create_app
from server.config import load_settings
from server.service import Engine
from tests.models.engines.cascade.parts import (
    FailingTranscriber,
    ListedTranscriber,
    scripted_cascade,
)
from tests.server.house import KEY, House, LevelDetector, noise, silence
from tests.server.test_conversation import QUESTION, first, open_session, speak, until

LONG = ScriptedReply([f"word{n} " for n in range(200)], piece_delay=0.02)
FAILURES = {  # of which the address says nothing while it is asked for one token
    "cut off": ScriptedReply(("One two three four ",), finish=None),
    "nothing said": ScriptedReply(()),
}
LASTING = {
    "unknown model": ScriptedReply(status=404, body=b"{}"),
    "wrong key": ScriptedReply(status=401, body=b"{}"),
    "out of quota": ScriptedReply(status=429, body=b"{}", headers={"Retry-After": "600"}),
    "rubbish": ScriptedReply(body=b"<html>hello</html>", headers={"Content-Type": "text/html"}),
    "slow": ScriptedReply(first_delay=60.0),
}


@asynccontextmanager
async def served(
    rule: ReplyRule, transcriber: ListedTranscriber | None = None, **settings: Any
) -> AsyncIterator[tuple[House, ScriptedChat]]:
    given = {"first_patience": 3.0, "next_patience": 3.0, "probe_period": 0.05}
    async with scripted_cascade(rule, transcriber, **(given | settings)) as (one, other, address):
        house = House()
        house.serve(create_app(house.settings, Engine(((one, other),), LevelDetector)))
        async with house:
            yield house, address


async def readiness(house: House) -> tuple[int, Any]:
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://{house.host}/readyz")
        return response.status_code, response.json()["reason"]


async def test_a_spoken_question_is_answered_by_the_address() -> None:
    async with served(lambda _: ScriptedReply(("It is ", "in ", "France."))) as (house, address):
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection, antiphon={"events": ["times"]})
            _, events = await asyncio.gather(
                speak(connection, *QUESTION), until(connection, "response.done")
            )
        said = first(events, "response.output_audio_transcript.done")
        assert said["transcript"] == "It is in France."
        times = first(events, "antiphon.times")
        assert 0 <= times["first_token_ms"] <= times["first_clause_ms"] <= times["first_sound_ms"]
        asked = address.chats[-1].body["messages"][-1]
        assert asked == {"role": "user", "content": "where is paris"}
        assert (
            'antiphon_llm_requests_total{outcome="completed"}'
            in house.service.metrics.text().decode()
        )


@pytest.mark.parametrize("name", [*LASTING, *FAILURES])
async def test_a_failing_address_ends_the_answer_visibly_and_the_session_lives(name: str) -> None:
    current = ScriptedReply()
    async with served(lambda _: current) as (house, _):
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            current = LASTING.get(name) or FAILURES[name]
            _, events = await asyncio.gather(
                speak(connection, *QUESTION), until(connection, "response.done")
            )
            done = first(events, "response.done")["response"]
            assert done["status"] == "failed"
            assert "the language model" in str(done["status_details"])
            if name in LASTING:
                status, reason = await readiness(house)
                assert status == 503 and reason in str(done["status_details"])
            current = ScriptedReply(("It is well.",))
            await house.until(lambda: house.service.trouble is None)
            assert await readiness(house) == (200, None)
            _, events = await asyncio.gather(
                speak(connection, *QUESTION), until(connection, "response.done")
            )
            assert first(events, "response.done")["response"]["status"] == "completed"


async def test_where_the_transcriber_fails_nano_spells_and_the_session_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transcriber = FailingTranscriber()
    async with served(lambda _: ScriptedReply(("It is well.",)), transcriber) as (house, address):
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            for transcriber.reason, words in (
                ("the transcriber's address answered 503", "(spelled)"),
                ("", "where is paris"),
            ):
                _, events = await asyncio.gather(
                    speak(connection, *QUESTION, silence(1.0)), until(connection, "response.done")
                )
                assert first(events, "response.done")["response"]["status"] == "completed"
                assert address.chats[-1].body["messages"][-1]["content"] == words
    assert "the transcriber's address answered 503" in caplog.text


SECRET = "sk-nobody-may-see-this"
HELLO: Any = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hello."}],
}


def text_under(folder: Path) -> str:
    """All that was written into files of a folder."""
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())


async def test_the_key_is_in_no_event_log_trace_or_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither where the address answers, nor where it repeats the key in its complaint."""
    monkeypatch.setenv("ANTIPHON_LLM_KEY", SECRET)
    current, seen = ScriptedReply(), list[dict[str, Any]]()
    async with ScriptedChat(lambda _: current) as address:
        given = {"llm": address.url, "llm_model": "scripted", "api_keys": [KEY]}
        settings = load_settings(None, {**given, "trace_directory": tmp_path, "trace_words": True})
        assert SECRET not in repr(settings) + settings.model_dump_json()
        house = House()
        house.serve(create_app(settings))
        with caplog.at_level(logging.DEBUG):
            async with house, house.sdk.realtime.connect(model="nano") as connection:
                await open_session(connection, output_modalities=["text"])
                complaint = f'{{"error": {{"message": "bad key {SECRET}"}}}}'.encode()
                for reply in (ScriptedReply(), ScriptedReply(status=401, body=complaint)):
                    current = reply
                    await connection.conversation.item.create(item=HELLO)
                    await connection.response.create()
                    seen += await until(connection, "response.done")
                metrics = house.service.metrics.text().decode()
        sent = {chat.headers["authorization"] for chat in address.chats}
    assert sent == {f"Bearer {SECRET}"}
    ended = [event["response"]["status"] for event in seen if event["type"] == "response.done"]
    assert ended == ["completed", "failed"]
    assert "bad key" in caplog.text  # the operator is told, without the key
    traces = await asyncio.to_thread(text_under, tmp_path)
    assert "Hello." in traces
    for text in (str(seen), caplog.text, metrics, traces):
        assert SECRET not in text


async def test_a_reply_that_ran_into_its_limit_is_incomplete() -> None:
    async with served(lambda _: ScriptedReply(("It is ", "in "), finish="length")) as (house, _):
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            _, events = await asyncio.gather(
                speak(connection, *QUESTION), until(connection, "response.done")
            )
        done = first(events, "response.done")["response"]
        assert done["status"] == "incomplete"
        assert done["status_details"]["reason"] == "max_output_tokens"


async def test_an_address_that_is_not_there_at_the_start_keeps_nobody_out() -> None:
    async with served(lambda _: ScriptedReply(status=500, body=b"")) as (house, _):
        status, reason = await readiness(house)
        assert status == 503 and "error of its own" in reason
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)


async def test_who_interrupts_stops_the_computing_and_is_answered_with_what_was_heard() -> None:
    async with served(lambda _: LONG) as (house, address):
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            await asyncio.gather(
                speak(connection, *QUESTION), until(connection, "response.output_audio.delta")
            )
            asked = address.chats[-1]
            _, events = await asyncio.gather(
                speak(connection, silence(1.0), noise(0.8), silence(1.0)),
                until(connection, "response.done"),
            )
            ended = first(events, "response.done")["response"]
            assert (ended["status"], ended["status_details"]["reason"]) == (
                "cancelled",
                "turn_detected",
            )
            await address.until(lambda: asked.is_dropped)
            await address.until(lambda: address.chats[-1] is not asked)
        roles = [message["role"] for message in address.chats[-1].body["messages"]]
        assert roles == ["user", "assistant", "user"]
        heard = address.chats[-1].body["messages"][1]["content"].removesuffix("…")
        whole = "".join(LONG.pieces)
        assert whole.startswith(heard) and 0 < len(heard) < len(whole) / 4
