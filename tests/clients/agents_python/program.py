"""The Agents SDK for Python: each feature of the table in a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import Any

import quickstart
from agents import GuardrailFunctionOutput, OutputGuardrail, function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from picture import red_square
from report import BASE_URL, KEY, SCRIPTED_BASE_URL, check, feature, play, speech


@function_tool
def get_time() -> str:
    """Tells the current time."""
    return "ten past nine"


def address(base: str) -> str:
    return "ws" + base.removeprefix("http") + "/realtime"


async def opened(agent: Any = None, base: str = BASE_URL, **run_config: Any) -> Any:
    agent = agent or RealtimeAgent(name="Assistant", instructions="You are a helpful assistant.")
    runner = RealtimeRunner(starting_agent=agent, config=run_config or None)
    return await runner.run(model_config={"url": address(base), "api_key": KEY})


class Watcher:
    """All events of a session, in the background; any error event is a fault."""

    def __init__(self, session: Any) -> None:
        self.events: list[Any] = []
        self._new = asyncio.Event()
        self._task = asyncio.create_task(self._watch(session))

    async def _watch(self, session: Any) -> None:
        async for event in session:
            self.events.append(event)
            self._new.set()

    async def until(self, kind: str, since: int = 0) -> Any:
        at = since
        while True:
            while at < len(self.events):
                event = self.events[at]
                at += 1
                check(event.type != "error", event)
                if event.type == kind:
                    return event
            self._new.clear()
            await self._new.wait()

    def history(self) -> list[Any]:
        found = [event.history for event in self.events if event.type == "history_updated"]
        return found[-1] if found else []

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@contextlib.asynccontextmanager
async def talking(agent: Any = None, base: str = BASE_URL, **config: Any) -> Any:
    session = await opened(agent, base, **config)
    async with session:
        watcher = Watcher(session)
        try:
            yield session, watcher
        finally:
            await watcher.close()


def words(history: list[Any], role: str) -> list[str]:
    """What a role said, item by item, as the SDK keeps it."""
    items = [item for item in history if getattr(item, "role", None) == role]
    return [
        " ".join(
            getattr(part, "transcript", None) or getattr(part, "text", None) or ""
            for part in item.content
        )
        for item in items
    ]


async def answered(session: Any, watcher: Watcher, message: Any) -> str:
    since = len(watcher.events)
    await session.send_message(message)
    await watcher.until("agent_end", since)
    await settled(watcher)
    said = words(watcher.history(), "assistant")
    check(said and said[-1], watcher.history())
    return said[-1]


async def settled(watcher: Watcher) -> None:
    """The SDK writes its history right after the event that ends an answer."""
    for _ in range(50):
        if (said := words(watcher.history(), "assistant")) and said[-1]:
            return
        await asyncio.sleep(0.02)


async def runs_its_quick_start() -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        await quickstart.main()
    check("assistant" in said.getvalue(), said.getvalue())
    return "ended with agent_end"


async def voice() -> str:
    async with talking() as (session, watcher):
        speaking = asyncio.create_task(play(speech("question_en_capital"), session.send_audio))
        await watcher.until("audio")
        await watcher.until("agent_end")
        await speaking
        await settled(watcher)
        heard, said = words(watcher.history(), "user"), words(watcher.history(), "assistant")
    check(heard and "capital" in heard[0].lower(), heard)
    check(said and "paris" in said[-1].lower(), said)
    return f"{heard[0]!r}: {said[-1]!r}"


async def interruption() -> str:
    async with talking() as (session, watcher):
        await session.send_message("tell me a story about the fox")
        await watcher.until("audio")
        await asyncio.sleep(2.0)
        since = len(watcher.events)
        speaking = asyncio.create_task(play(speech("question_en_capital"), session.send_audio))
        await watcher.until("audio_interrupted", since)
        answer = await watcher.until("audio", len(watcher.events))
        await watcher.until("agent_end", watcher.events.index(answer))
        await speaking
        await asyncio.sleep(0.5)
        said = words(watcher.history(), "assistant")
    check(len(said) >= 2, said)
    check(0 < len(said[0]) < 200, f"the story was kept whole: {said[0]}")
    check("paris" in said[-1].lower(), said)
    return f"kept {said[0]!r}"


async def tool() -> str:
    agent = RealtimeAgent(name="Assistant", instructions="Use your tools.", tools=[get_time])
    async with talking(agent) as (session, watcher):
        await session.send_message("what time is it")
        ended = await watcher.until("tool_end")
        check(ended.output == "ten past nine", ended)
        await watcher.until("audio")
        await watcher.until("agent_end", watcher.events.index(ended))
        await settled(watcher)
        return words(watcher.history(), "assistant")[-1]


async def handoff() -> str:
    billing = RealtimeAgent(name="Billing", instructions="You answer questions on bills.")
    first = RealtimeAgent(name="First", instructions="Hand over.", handoffs=[billing])
    async with talking(first, SCRIPTED_BASE_URL) as (session, watcher):
        await session.send_message("I have a question for billing")
        handed = await watcher.until("handoff")
        check(handed.to_agent.name == "Billing", handed)
        await watcher.until("agent_end", watcher.events.index(handed))
        await settled(watcher)
        return words(watcher.history(), "assistant")[-1]


def no_foxes(context: Any, agent: Any, output: str) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="fox" in output)


async def guardrail() -> str:
    rail = OutputGuardrail(guardrail_function=no_foxes, name="no foxes")
    config: Any = {
        "output_guardrails": [rail],
        "guardrails_settings": {"debounce_text_length": 20},
    }
    async with talking(None, BASE_URL, **config) as (session, watcher):
        await session.send_message("tell me a story about the fox")
        tripped = await watcher.until("guardrail_tripped")
        await watcher.until("agent_end", watcher.events.index(tripped))
        await asyncio.sleep(1.0)
        check(not [e for e in watcher.events if e.type == "error"], "an error event")
        return "tripped, the answer ended, no error"


async def text() -> str:
    async with talking() as (session, watcher):
        said = await answered(session, watcher, "what is the capital of france")
    check("paris" in said.lower(), said)
    return said


async def image() -> str:
    content = [
        {"type": "input_image", "image_url": red_square(), "detail": "auto"},
        {"type": "input_text", "text": "what colour is it"},
    ]
    async with talking() as (session, watcher):
        return await answered(
            session, watcher, {"type": "message", "role": "user", "content": content}
        )


async def second_connection() -> str:
    async with talking() as (_, watcher):
        await watcher.until("raw_model_event")
    return await text()


async def main() -> None:
    await feature("quick start", runs_its_quick_start)
    await feature("voice, transcript", voice)
    await feature("interruption, history", interruption)
    await feature("tool", tool)
    await feature("handoff", handoff)
    await feature("guardrail", guardrail)
    await feature("text", text)
    await feature("image", image)
    await feature("connects again", second_connection)


asyncio.run(main())
