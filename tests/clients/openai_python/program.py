"""openai-python: each feature of the table over its own realtime connection."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
from typing import Any

import quickstart
from openai import AsyncOpenAI
from picture import red_square
from report import BASE_URL, KEY, check, feature, play, speech, tell

MODEL = "gpt-realtime-2"
client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
TOOL: Any = {
    "type": "function",
    "name": "get_time",
    "description": "Tells the current time.",
    "parameters": {"type": "object", "properties": {}},
}
HEARD = {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}


async def until(connection: Any, *kinds: str) -> list[Any]:
    """All events up to the first of these types."""
    seen = []
    async for event in connection:
        seen.append(event)
        if event.type == "error":
            raise AssertionError(event.error.message)
        if event.type in kinds:
            return seen
    raise AssertionError(f"the connection ended before {kinds}")


def text_of(done: Any) -> str:
    parts = (part for item in done.response.output for part in getattr(item, "content", None) or ())
    return " ".join(part.text or part.transcript or "" for part in parts)


async def opened(connection: Any, **session: Any) -> None:
    await connection.session.update(session={"type": "realtime", **session})
    await until(connection, "session.updated")


async def say(connection: Any, pcm: bytes) -> None:
    async def send(frame: bytes) -> None:
        await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())

    await play(pcm, send)


async def ask(connection: Any, content: list[dict[str, Any]]) -> Any:
    item: Any = {"type": "message", "role": "user", "content": content}
    await connection.conversation.item.create(item=item)
    await connection.response.create()
    return (await until(connection, "response.done"))[-1]


async def runs_its_quick_start() -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        await quickstart.main()
    check(said.getvalue().strip(), "nothing was said")
    return said.getvalue().strip()


async def voice() -> str:
    async with client.realtime.connect(model=MODEL) as connection:
        await opened(connection, audio=HEARD)
        speaking = asyncio.create_task(say(connection, speech("question_en_capital")))
        seen = await until(connection, "response.done")
        await speaking
    heard = [e.transcript for e in seen if e.type.endswith("transcription.completed")]
    check(heard and "capital" in heard[0].lower(), heard)
    check(any(e.type == "response.output_audio.delta" for e in seen), "no sound")
    said = text_of(seen[-1])
    check("paris" in said.lower(), said)
    return f"{heard[0]!r}: {said!r}"


async def interruption() -> str:
    async with client.realtime.connect(model=MODEL) as connection:
        await opened(connection, audio=HEARD)
        story: Any = [{"type": "input_text", "text": "tell me a story about the fox"}]
        item: Any = {"type": "message", "role": "user", "content": story}
        await connection.conversation.item.create(item=item)
        await connection.response.create()
        begun = (await until(connection, "response.output_audio.delta"))[-1]
        await asyncio.sleep(1.5)
        speaking = asyncio.create_task(say(connection, speech("question_en_capital")))
        seen = await until(connection, "response.done")
        cut = seen[-1].response
        check(cut.status == "cancelled", cut.status)
        await connection.conversation.item.truncate(
            item_id=begun.item_id, content_index=0, audio_end_ms=1500
        )
        await until(connection, "conversation.item.truncated")
        await connection.conversation.item.retrieve(item_id=begun.item_id)
        kept = (await until(connection, "conversation.item.retrieved"))[-1].item
        answer = (await until(connection, "response.done"))[-1]
        await speaking
    heard, generated = kept.content[0].transcript, text_of(seen[-1])
    check(0 < len(heard) < len(generated), (heard, generated))
    check("paris" in text_of(answer).lower(), text_of(answer))
    return f"kept {heard!r} of {len(generated)} letters"


async def tool() -> str:
    async with client.realtime.connect(model=MODEL) as connection:
        await opened(connection, output_modalities=["text"], tools=[TOOL])
        done = await ask(connection, [{"type": "input_text", "text": "what time is it"}])
        call = done.response.output[0]
        check(call.type == "function_call" and call.name == "get_time", call)
        output: Any = {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": '{"time": "ten past nine"}',
        }
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        said = text_of((await until(connection, "response.done"))[-1])
    check(said, "no answer to the output")
    return said


async def text() -> str:
    async with client.realtime.connect(model=MODEL) as connection:
        await opened(connection, output_modalities=["text"])
        done = await ask(
            connection, [{"type": "input_text", "text": "what is the capital of france"}]
        )
    check("paris" in text_of(done).lower(), text_of(done))
    return text_of(done)


async def image() -> str:
    async with client.realtime.connect(model=MODEL) as connection:
        await opened(connection, output_modalities=["text"])
        content = [
            {"type": "input_image", "image_url": red_square()},
            {"type": "input_text", "text": "what colour is it"},
        ]
        done = await ask(connection, content)
    check(done.response.status == "completed" and text_of(done), done.response)
    return text_of(done)


async def second_connection() -> str:
    async with client.realtime.connect(model=MODEL) as connection:
        await until(connection, "session.created")
    async with client.realtime.connect(model=MODEL) as connection:
        await opened(connection, output_modalities=["text"])
        done = await ask(connection, [{"type": "input_text", "text": "what is two plus three"}])
    check(done.response.status == "completed", done.response)
    return text_of(done)


async def main() -> None:
    await feature("quick start", runs_its_quick_start)
    await feature("voice, transcript", voice)
    await feature("interruption, history", interruption)
    await feature("tool", tool)
    tell("handoff", "-", "not in this client")
    tell("guardrail", "-", "not in this client")
    await feature("text", text)
    await feature("image", image)
    await feature("connects again", second_connection)


asyncio.run(main())
