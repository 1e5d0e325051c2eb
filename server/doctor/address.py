"""What a language model's address can do, and how fast: asked, not believed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx
import numpy as np

from models.base import (
    AnswerOptions,
    Conversation,
    FunctionCall,
    InstanceFailed,
    Instructions,
    Tool,
    UserImage,
    UserText,
)
from models.engines.cascade.chat_endpoint import ChatEndpoint, ChatSettings

_STORY = "The fox ran over the hill and met the hare, who was late for the fair. " * 40
_CLOCK = Tool("get_time", "The time of day.", {"type": "object", "properties": {}})
_TOKENS = 48  # of the reply whose speed is measured


@dataclass(slots=True)
class AddressReport:
    """What was found. Times are seconds, None where the trial failed; `failures` says why.

    cold, warm         to the first token, with a long prefix that is new, and with the same again
    tokens_a_second    pieces of the stream after the first
    """

    models: tuple[str, ...] = ()
    cold: float | None = None
    warm: float | None = None
    tokens_a_second: float | None = None
    tools: bool | None = None
    images: bool | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def has_prefix_cache(self) -> bool:
        """A prefix that was read before costs clearly less."""
        return self.cold is not None and self.warm is not None and self.warm < 0.7 * self.cold


async def list_models(url: str, key: str) -> tuple[str, ...]:
    """The names that the address gives. Raises httpx.HTTPError, ValueError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(timeout=10.0, headers=headers) as client:
        response = await client.get(f"{url.rstrip('/')}/models")
        response.raise_for_status()
        data = response.json().get("data", [])
    return tuple(str(one.get("id")) for one in data if isinstance(one, dict))


async def examine(settings: ChatSettings) -> AddressReport:
    """Try the address; what fails is noted and the rest is tried."""
    report = AddressReport()
    try:
        report.models = await list_models(settings.url, settings.key)
    except (httpx.HTTPError, ValueError) as error:
        report.failures.append(f"models: {type(error).__name__}")
    chat = ChatEndpoint(settings)
    for name, trial in (("streaming", _speed), ("tools", _tools), ("images", _images)):
        try:
            await trial(chat, report)
        except InstanceFailed as failure:
            report.failures.append(f"{name}: {failure.reason}")
    await chat.close()
    return report


async def _speed(chat: ChatEndpoint, report: AddressReport) -> None:
    told = Instructions(f"{time.time_ns()} {_STORY}")  # a prefix that nobody has sent before
    report.cold, _ = await _timed(chat, Conversation((told, UserText("Who was late?"))))
    question = Conversation((told, UserText("Tell me what the fox did, at some length.")))
    report.warm, report.tokens_a_second = await _timed(chat, question)


async def _timed(chat: ChatEndpoint, conversation: Conversation) -> tuple[float, float | None]:
    """Seconds to the first piece, and pieces a second behind it."""
    began = time.perf_counter()
    times = [
        time.perf_counter() - began
        async for part in chat.reply(conversation, AnswerOptions(max_tokens=_TOKENS))
        if isinstance(part, str)
    ]
    span = times[-1] - times[0]
    return times[0], (len(times) - 1) / span if span > 0 and len(times) > 4 else None


async def _tools(chat: ChatEndpoint, report: AddressReport) -> None:
    conversation = Conversation((UserText("What time is it?"),), (_CLOCK,))
    options = AnswerOptions(max_tokens=_TOKENS, tool_choice="required")
    parts = [part async for part in chat.reply(conversation, options)]
    report.tools = any(isinstance(part, FunctionCall) for part in parts)


async def _images(chat: ChatEndpoint, report: AddressReport) -> None:
    red = UserImage(np.tile(np.array([200, 0, 0], np.uint8), (64, 64, 1)), "low")
    conversation = Conversation((red, UserText("What colour is this? One word.")))
    async for _ in chat.reply(conversation, AnswerOptions(max_tokens=8)):
        await asyncio.sleep(0)
    report.images = chat.sees
