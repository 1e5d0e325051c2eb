"""Whole conversations over a real server with the real openai client."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from audio.resample import resample
from models.base import SPEAK_RATE, FunctionCall
from models.vad import SileroDetector, SileroModel
from tests.engine_script import NOISE, EngineScript, ScriptedAnswer, timed
from tests.server.house import House, frames, noise, silence
from tests.server.judge import check_event

CLIPS = Path(__file__).resolve().parents[1] / "data" / "audio"
QUESTION = (silence(0.2), noise(0.6), silence(0.8))
LONG = ScriptedAnswer("one two three four five six seven eight", word_seconds=0.35)


async def speak(connection: AsyncRealtimeConnection, *sound: Any) -> None:
    """Send at playing speed."""
    for frame in frames(*sound):
        await connection.input_audio_buffer.append(audio=frame)
        await asyncio.sleep(0.02)


async def until(connection: AsyncRealtimeConnection, *kinds: str) -> list[dict[str, Any]]:
    """All events up to the first of these types, judged."""
    seen = []
    async with asyncio.timeout(15):
        async for event in connection:
            seen.append(event.model_dump(exclude_unset=True))
            check_event(seen[-1])
            if event.type in kinds:
                break
    return seen


def types(events: list[dict[str, Any]]) -> list[str]:
    """Without repetitions of deltas."""
    names: list[str] = []
    for event in events:
        if not (names and names[-1] == event["type"]):
            names.append(event["type"])
    return names


def first(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(event for event in events if event["type"] == kind)


async def open_session(connection: AsyncRealtimeConnection, **session: Any) -> None:
    whole: Any = {"type": "realtime", **session}
    await connection.session.update(session=whole)
    seen = await until(connection, "session.updated")
    assert types(seen) == ["session.created", "session.updated"]


async def test_spoken_turn(house: House) -> None:
    async with house.sdk.realtime.connect(model="nano") as connection:
        await open_session(connection)
        _, events = await asyncio.gather(
            speak(connection, *QUESTION), until(connection, "response.done")
        )
    order = types(events)
    assert order[:5] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert order[5:9] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
    ]
    assert order[-6:] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    user = first(events, "input_audio_buffer.speech_started")["item_id"]
    assert first(events, "input_audio_buffer.committed")["item_id"] == user
    sound = b"".join(
        base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta"
    )
    assert len(sound) == 2 * len(ScriptedAnswer().sound())
    response = events[-1]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"][0]["transcript"] == ScriptedAnswer().text


async def test_written_turn(house: House) -> None:
    async with house.sdk.realtime.connect(model="nano") as connection:
        await open_session(connection, output_modalities=["text"])
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Say it."}],
            }
        )
        await connection.response.create()
        events = await until(connection, "response.done")
    assert types(events) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert first(events, "response.output_text.done")["text"] == ScriptedAnswer().text


async def test_noise_is_not_answered_and_says_why() -> None:
    async with House(EngineScript(verdict=timed([(0.0, NOISE)]))) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection, antiphon={"events": ["decision"]})
            _, events = await asyncio.gather(
                speak(connection, *QUESTION), until(connection, "antiphon.decision")
            )
        assert not [e for e in events if e["type"] == "response.created"]
        assert events[-1]["reason"] == "ignored-noise"
        counted = house.service.metrics.text().decode()
        assert 'antiphon_decisions_total{reason="ignored-noise"} 1.0' in counted


async def test_interruption_stops_the_answer_and_is_answered() -> None:
    async with House(EngineScript(answers=[LONG])) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            _, events = await asyncio.gather(
                speak(connection, *QUESTION, *QUESTION), until(connection, "response.done")
            )
            rest = await until(connection, "response.done")
        response = events[-1]["response"]
        assert response["status"] == "cancelled"
        assert response["status_details"]["reason"] == "turn_detected"
        cut = response["id"]
        assert not [e for e in rest if e.get("response_id") == cut]
        started = [e["type"] for e in events].count("input_audio_buffer.speech_started")
        assert started == 2
        assert events[-1]["response"]["output"][0]["status"] == "incomplete"
        metrics = house.service.metrics.text().decode()
        assert "antiphon_swaps_total 2.0" in metrics
        assert "antiphon_barge_in_stop_seconds_count" in metrics


async def test_function_call_and_its_result() -> None:
    call = FunctionCall("weather", '{"city":"Ulm"}')
    script = EngineScript(answers=lambda memory: (
        ScriptedAnswer("Sunny.")
        if any(type(item).__name__ == "FunctionOutput" for item in memory.items)
        else ScriptedAnswer(call=call)
    ))  # fmt: skip
    tool: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    async with House(script) as house, house.sdk.realtime.connect(model="nano") as connection:
        await open_session(connection, tools=[tool])
        _, events = await asyncio.gather(
            speak(connection, *QUESTION), until(connection, "response.done")
        )
        item = first(events, "response.output_item.done")["item"]
        assert (item["name"], item["arguments"]) == (call.name, call.arguments)
        order = types(events)
        assert order.index("conversation.item.added", 5) < order.index(
            "response.function_call_arguments.done"
        )
        await connection.conversation.item.create(
            item={
                "type": "function_call_output",
                "call_id": item["call_id"],
                "output": '{"sky":"blue"}',
            }
        )
        await connection.response.create()
        answer = await until(connection, "response.done")
    assert first(answer, "response.output_audio_transcript.done")["transcript"] == "Sunny."


async def test_cancel_truncate_retrieve_delete() -> None:
    async with House(EngineScript(answers=[LONG])) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            await connection.response.create(response={"metadata": {"client_event_id": "x"}})
            events = await until(connection, "response.output_audio.delta")
            assert first(events, "response.created")["response"]["metadata"] == {
                "client_event_id": "x"
            }
            item = events[-1]["item_id"]
            for _ in range(35):  # 0.7 s, in pieces of 20 ms
                await until(connection, "response.output_audio.delta")
            await connection.response.create(event_id="second")
            refused = (await until(connection, "error"))[-1]["error"]
            assert refused["code"] == "conversation_already_has_active_response"
            assert refused["event_id"] == "second"
            await connection.response.cancel()
            done = (await until(connection, "response.done"))[-1]["response"]
            assert done["status_details"]["reason"] == "client_cancelled"
            await connection.conversation.item.truncate(
                item_id=item, content_index=0, audio_end_ms=350
            )
            await until(connection, "conversation.item.truncated")
            await connection.conversation.item.retrieve(item_id=item)
            kept = (await until(connection, "conversation.item.retrieved"))[-1]["item"]
            assert kept["content"][0]["transcript"].strip() == "one"
            assert base64.b64decode(kept["content"][0]["audio"])
            await connection.conversation.item.delete(item_id=item)
            await until(connection, "conversation.item.deleted")
            await connection.conversation.item.retrieve(item_id=item, event_id="gone")
            error = (await until(connection, "error"))[-1]["error"]
            assert error["code"] == "item_retrieve_invalid_item_id"
            await connection.response.cancel()  # it ended a moment ago: no error
            await connection.response.cancel(response_id="resp_of_another")
            error = (await until(connection, "error"))[-1]["error"]
            assert error["code"] == "response_cancel_not_active"
            assert error["message"].startswith("Cancellation failed")


async def test_manual_turn(house: House) -> None:
    async with house.sdk.realtime.connect(model="nano") as connection:
        await open_session(connection, audio={"input": {"turn_detection": None}})
        await connection.input_audio_buffer.commit(event_id="early")
        error = (await until(connection, "error"))[-1]["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "early")
        for frame in frames(noise(1.0)):  # faster than it plays
            await connection.input_audio_buffer.append(audio=frame)
        await connection.input_audio_buffer.commit()
        events = await until(connection, "conversation.item.done")
        assert types(events)[-3:] == [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ]
        await connection.response.create()
        events = await until(connection, "response.done")
        assert events[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize("name", ["question_en_sum", "question_zh_capital"])
async def test_recorded_question(name: str) -> None:
    """Real speech through the real voice detector: one turn, with the clip's own ends."""
    voiced = json.loads((CLIPS / "clips.json").read_text(encoding="utf-8"))[name]
    recorded, rate = soundfile.read(CLIPS / f"{name}.flac", dtype="float32")
    clip = resample(recorded, rate, SPEAK_RATE)
    silero = SileroModel()
    async with House(detector=lambda: SileroDetector(silero)) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            _, events = await asyncio.gather(
                speak(connection, clip, silence(1.0)), until(connection, "response.done")
            )
    assert types(events).count("input_audio_buffer.committed") == 1
    stopped = first(events, "input_audio_buffer.speech_stopped")["audio_end_ms"]
    assert stopped == pytest.approx(voiced["end_of_voice"] / rate * 1000, abs=150)
    started = first(events, "input_audio_buffer.speech_started")["audio_start_ms"]
    assert 0 <= started <= voiced["first_voiced"] / rate * 1000 + 100


@pytest.mark.parametrize("form", ["audio/pcmu", "audio/pcma"])
async def test_telephone(house: House, form: Any) -> None:
    """G.711 both ways: silence and loud codes, 20 ms a frame."""
    async with house.sdk.realtime.connect(model="nano") as connection:
        audio: Any = {"input": {"format": {"type": form}}, "output": {"format": {"type": form}}}
        await connection.session.update(session={"type": "realtime", "audio": audio})
        quiet, loud = (b"\xff", b"\x90") if form == "audio/pcmu" else (b"\xd5", b"\xb0")

        async def talk() -> None:
            for code, count in ((quiet, 10), (loud, 30), (quiet, 40)):
                for _ in range(count):
                    frame = base64.b64encode(code * 160).decode()
                    await connection.input_audio_buffer.append(audio=frame)
                    await asyncio.sleep(0.02)

        _, events = await asyncio.gather(talk(), until(connection, "response.done"))
    sound = b"".join(
        base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta"
    )
    assert len(sound) == len(ScriptedAnswer().sound()) // 3


async def test_the_limit_of_messages_is_told_after_each_response(house: House) -> None:
    async with house.sdk.realtime.connect(model="nano") as connection:
        await connection.response.create()
        events = await until(connection, "rate_limits.updated")
    assert types(events)[-2:] == ["response.done", "rate_limits.updated"]
    (told,) = events[-1]["rate_limits"]
    assert told["name"] == "requests"
    assert told["limit"] == house.settings.limits.messages_a_second
    assert told["limit"] - 2 <= told["remaining"] < told["limit"] + 1
    assert 0 <= told["reset_seconds"] < 1
