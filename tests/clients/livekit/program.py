"""livekit-agents with livekit-plugins-openai: each feature of the table, without a room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import quickstart
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.llm import ImageContent
from livekit.plugins import openai
from picture import red_square
from report import (
    BASE_URL,
    KEY,
    SCRIPTED_BASE_URL,
    check,
    feature,
    restart_server,
    speech,
    tell,
)
from sound import Loudspeaker, Microphone


@function_tool
async def get_time() -> str:
    """Tells the current time."""
    return "ten past nine"


class Warnings(logging.Handler):
    """What the client complains of in its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


warnings = Warnings()
logging.getLogger("livekit").addHandler(warnings)


class Call:
    """A running session with its microphone, and what it has told."""

    def __init__(self, session: AgentSession) -> None:
        self.session = session
        self.microphone = Microphone()
        self.heard: list[str] = []
        self.items: list[Any] = []
        self.errors: list[str] = []
        self.closed = asyncio.Event()
        self._new = asyncio.Event()
        session.on("user_input_transcribed", self._on_heard)
        session.on("conversation_item_added", self._on_item)
        session.on("error", lambda event: self.errors.append(str(event.error)))
        session.on("close", lambda event: self.closed.set())

    def _on_heard(self, event: Any) -> None:
        if event.is_final:
            self.heard.append(event.transcript)
            self._new.set()

    def _on_item(self, event: Any) -> None:
        self.items.append(event.item)
        self._new.set()

    def said(self) -> list[Any]:
        return [item for item in self.items if getattr(item, "role", None) == "assistant"]

    async def until_said(self, count: int) -> Any:
        while len(self.said()) < count:
            self._new.clear()
            await self._new.wait()
        return self.said()[count - 1]

    async def ask(self, text: str) -> str:
        """A typed question; the words of its answer."""
        handle = self.session.generate_reply(user_input=text)
        await handle.wait_for_playout()
        said = [item for item in handle.chat_items if getattr(item, "role", None) == "assistant"]
        check(said and said[-1].text_content, (handle.chat_items, self.errors))
        return str(said[-1].text_content)


@contextlib.asynccontextmanager
async def calling(agent: Agent | None = None, session: AgentSession | None = None) -> Any:
    session = session or quickstart.new_session()
    call = Call(session)
    session.input.audio = call.microphone
    session.output.audio = Loudspeaker()
    await session.start(agent=agent or quickstart.new_agent())
    try:
        yield call
        check(not call.errors, call.errors)
    finally:
        await session.aclose()


async def quick_start() -> str:
    async with calling() as call:
        handle = call.session.generate_reply(
            instructions="Greet the user and offer your assistance."
        )
        await handle.wait_for_playout()
        said = [item.text_content for item in call.said()]
    check(said and said[0], said)
    await newer_model_name()
    return str(said[0])


async def newer_model_name() -> str:
    model = openai.realtime.RealtimeModel(model="gpt-realtime-2", base_url=BASE_URL, api_key=KEY)
    async with calling(session=AgentSession(llm=model)) as call:
        return await call.ask("what is two plus three")


async def voice() -> str:
    async with calling() as call:
        call.microphone.put(speech("question_en_capital"))
        said = await call.until_said(1)
    check(call.heard and "capital" in call.heard[0].lower(), call.heard)
    check("paris" in said.text_content.lower(), said.text_content)
    return f"{call.heard[0]!r}: {said.text_content!r}"


async def interruption() -> str:
    async with calling() as call:
        call.session.generate_reply(user_input="tell me a story about the fox")
        await asyncio.sleep(3.0)
        call.microphone.put(speech("question_en_capital"))
        cut = await call.until_said(1)
        answer = await call.until_said(2)
    check(cut.interrupted, "the story was not marked as interrupted")
    check(0 < len(cut.text_content) < 200, f"more than was heard: {cut.text_content}")
    check("paris" in answer.text_content.lower(), answer.text_content)
    return f"kept {cut.text_content!r}"


async def tool() -> str:
    del warnings.lines[:]
    async with calling(Agent(instructions="Use your tools.", tools=[get_time])) as call:
        said = await call.ask("what time is it")
    check(any(item.type == "function_call" for item in call.session.history.items), "no call")
    unknown = [line for line in warnings.lines if "unknown item" in line]
    check(not unknown, unknown)
    return said


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You answer questions on bills.")

    async def on_enter(self) -> None:
        await self.session.generate_reply(instructions="Say who you are.")


class First(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Hand over.")

    @function_tool
    async def transfer_to_billing(self) -> Any:
        """Hand the call over to billing."""
        return Billing()


async def handoff() -> str:
    model = openai.realtime.RealtimeModel(base_url=SCRIPTED_BASE_URL, api_key=KEY)
    async with calling(First(), AgentSession(llm=model)) as call:
        call.session.generate_reply(user_input="I have a question for billing")
        said = await call.until_said(1)
        check(isinstance(call.session.current_agent, Billing), call.session.current_agent)
    return str(said.text_content)


async def text() -> str:
    async with calling() as call:
        said = await call.ask("what is the capital of france")
    check("paris" in said.lower(), said)
    return said


async def image() -> str:
    async with calling() as call:
        context = call.session.current_agent.chat_ctx.copy()
        context.add_message(role="user", content=[ImageContent(image=red_square())])
        await call.session.current_agent.update_chat_ctx(context)
        return await call.ask("what colour is it")


async def reconnects() -> str:
    async with calling() as call:
        await call.ask("what is two plus three")
        await restart_server()
        async with asyncio.timeout(35):
            while True:
                try:
                    said = await call.ask("what is the capital of france")
                    break
                except AssertionError:
                    check(not call.closed.is_set(), f"the session ended: {call.errors}")
                    await asyncio.sleep(0.5)
        del call.errors[:]  # of the connection that was lost: it says that it comes back
    check(said, "nothing was said")
    return "the same session went on after a restart of the server"


async def main() -> None:
    await feature("quick start", quick_start)
    await feature("voice, transcript", voice)
    await feature("interruption, history", interruption)
    await feature("tool", tool)
    await feature("handoff", handoff)
    tell("guardrail", "-", "not in this client")
    await feature("text", text)
    await feature("image", image)
    await feature("connects again", reconnects)


asyncio.run(main())
