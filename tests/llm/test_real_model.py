"""Spoken questions to a real language model: heard, written down, asked, answered, interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import numpy as np
import pytest

from models.base import SPEAK_RATE, AnswerOptions, Conversation, Instructions, Samples, UserText
from models.engines.cascade import assembly
from models.engines.cascade.chat_endpoint import ChatEndpoint, ChatSettings
from models.training.synthesis import speak as synthesise
from models.training.voices import Voice
from models.transcribers.choice import open_transcriber
from models.vad import SileroDetector, SileroModel
from server.app import create_app
from server.config import BUNDLED_MODEL
from server.service import Engine
from tests.server.house import House, silence
from tests.server.test_conversation import first, open_session, speak, until

pytestmark = pytest.mark.timeout(600)
QUESTIONS = Path(__file__).with_name("questions.txt").read_text().splitlines()
VOICES = (Voice("flite", "slt"), Voice("flite", "rms"))
LONG = Conversation((Instructions("You tell long stories."), UserText("Tell me a long story.")))


class NotingEndpoint(ChatEndpoint):
    """A ChatEndpoint that keeps the conversations it was asked to reply to."""

    def __init__(self, settings: ChatSettings) -> None:
        super().__init__(settings)
        self.asked: list[Conversation] = []

    def reply(self, conversation: Conversation, options: AnswerOptions) -> Any:
        self.asked.append(conversation)
        return super().reply(conversation, options)


def settings(address: str) -> ChatSettings:
    return ChatSettings(address, "smollm2", capacity=2048, first_patience=30, next_patience=30)


@asynccontextmanager
async def served(address: str) -> AsyncIterator[tuple[House, NotingEndpoint]]:
    """A whole server: nano hears and speaks, Moonshine writes down, SmolLM2 replies."""
    chat, silero = NotingEndpoint(settings(address)), SileroModel()
    parts = assembly.load(BUNDLED_MODEL, [chat], open_transcriber("auto"))
    pair = assembly.assemble(parts, "a"), assembly.assemble(parts, "b")
    house = House(instructions="Answer in one short sentence.")
    house.serve(create_app(house.settings, Engine((pair,), lambda: SileroDetector(silero))))
    async with house:
        chat.asked.clear()
        yield house, chat


def sound(text: str, voice: Voice) -> Samples:
    """The text in this voice, at 24 kHz and at a usual level."""
    from audio.resample import resample

    spoken: Samples = resample(synthesise(text, voice).samples, 16_000, SPEAK_RATE)
    return np.asarray(spoken * (0.07 / np.sqrt((spoken**2).mean())), np.float32)


async def test_open_questions_are_heard_asked_and_answered(smollm: str) -> None:
    """Each in a conversation of its own. What is answered depends on a small model; that it is
    asked what was said, and that its answer is heard, does not."""
    understood = answered = 0
    async with served(smollm) as (house, chat):
        for number, question in enumerate(QUESTIONS):
            events = await _ask(house, sound(question, VOICES[number % 2]))
            words = {word for each in chat.asked for word in _words(each)}
            understood += len(words & set(question.split())) >= 0.6 * len(set(question.split()))
            done = [e["response"] for e in events if e["type"] == "response.done"]
            answered += bool(done) and done[-1]["status"] == "completed"
            chat.asked.clear()
    assert understood >= 15, f"{understood} of {len(QUESTIONS)} were understood"
    assert answered >= 14, f"{answered} of {len(QUESTIONS)} were answered"


async def _ask(house: House, question: Samples) -> list[dict[str, Any]]:
    """All events up to the end of the answer, or until nothing more can be expected."""
    seen: list[dict[str, Any]] = []
    async with house.sdk.realtime.connect(model="nano") as connection:
        await open_session(connection)

        async def listen() -> None:
            async for event in connection:
                seen.append(event.model_dump(exclude_unset=True))
                if event.type == "response.done":
                    break

        listening = asyncio.create_task(listen())
        await speak(connection, silence(0.3), question, silence(1.5))
        await asyncio.wait({listening}, timeout=20)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return seen


def _words(conversation: Conversation) -> set[str]:
    text = " ".join(getattr(item, "words", "") for item in conversation.items)
    return set("".join(c for c in text.lower() if c.isalnum() or c == " ").split())


async def test_the_capital_of_france(smollm: str) -> None:
    async with served(smollm) as (house, _):
        events = await _ask(house, sound(QUESTIONS[0], VOICES[0]))
    said = first(events, "response.output_audio_transcript.done")["transcript"]
    assert "Paris" in said


async def test_who_interrupts_stops_the_computing(smollm: str) -> None:
    """Two thousand tokens would take it many seconds; it rests soon after the stream is closed."""
    chat = ChatEndpoint(settings(smollm))
    parts = chat.reply(LONG, AnswerOptions(max_tokens=1500, temperature=0.8, seed=1))
    for _ in range(3):
        await anext(parts)
    assert await _is_computing(smollm)
    await parts.aclose()
    until_then = perf_counter() + 3
    while await _is_computing(smollm):
        assert perf_counter() < until_then
        await asyncio.sleep(0.05)
    await chat.close()


async def _is_computing(address: str) -> bool:
    async with httpx.AsyncClient() as client:
        slots = (await client.get(f"{address.removesuffix('/v1')}/slots")).json()
    return any(slot["is_processing"] for slot in slots)


async def test_a_warmed_prefix_is_not_read_again(smollm: str) -> None:
    told = Instructions("You know this story by heart: " + "the fox ran over the hill. " * 40)
    conversation = Conversation((told, UserText("Who ran?")))
    chat = ChatEndpoint(settings(smollm))
    await chat.warm(Conversation((told,)))
    body = await chat.body(conversation, AnswerOptions(max_tokens=4))
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{smollm}/chat/completions", json=body | {"stream": False})
    timings = answer.json()["timings"]
    assert timings["cache_n"] > 0.8 * (timings["cache_n"] + timings["prompt_n"])
    await chat.close()


async def test_a_real_conversation_over_several_turns(smollm: str) -> None:
    """The second request holds the first question and what was heard of its answer."""
    async with served(smollm) as (house, chat):
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            for question in (QUESTIONS[0], QUESTIONS[15]):
                _, events = await asyncio.gather(
                    speak(connection, silence(0.3), sound(question, VOICES[0]), silence(1.5)),
                    until(connection, "response.done"),
                )
        said = first(events, "response.done")
        assert said["response"]["status"] == "completed"
        roles = [type(item).__name__ for item in chat.asked[-1].items]
        assert roles == ["Instructions", "UserSound", "AssistantText", "UserSound"]
