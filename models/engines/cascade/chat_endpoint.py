"""A language model behind an OpenAI-compatible address: /v1/chat/completions, streamed.

Ollama, llama.cpp, vLLM, LM Studio and the providers speak it. What they differ in is met here: a
field that an address refuses is left out from then on, and so are images.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx

from models.base import (
    AnswerOptions,
    Conversation,
    UserImage,
    UserText,
)
from models.capabilities import Capabilities
from models.engines.cascade.chat_delta import DeltaReader, rubbish
from models.engines.cascade.chat_failures import failed_response, failed_transport
from models.engines.cascade.event_stream import EventStream
from models.engines.cascade.health import EndpointHealth, ReplyFailed
from models.engines.cascade.language import ReplyPart
from models.engines.cascade.messages import image_address, messages, tools

logger = logging.getLogger(__name__)
SPOKEN_STYLE = (
    "Your words are spoken aloud in a conversation. Answer briefly, in plain sentences, without "
    "lists, headings or markup."
)
_WAITS = (0.1, 0.4)  # seconds before the second and the third attempt at most
_IMAGES_KEPT = 8  # encoded; a conversation shows the same ones again with each request
_OPTIONAL = ("max_tokens", "temperature", "seed", "tool_choice")
_MOST_ATTEMPTS = 1 + len(_WAITS) + len(_OPTIONAL) + 1
_NO_IMAGES = re.compile(r"image|vision|multimodal", re.IGNORECASE)
_DRAIN_SECONDS = 0.3
_LONGEST_BODY = 2**20
_AGAIN = ("unreachable", "busy", "broken")


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How an address is asked. Times are seconds.

    url, model, key   the address up to /v1, the model's name there, a bearer key
    capacity          tokens that a request and its reply may have together
    first_patience    until the first part of a reply; thinking counts
    next_patience     between two parts of a reply
    probe_period      between looks at an address that is in trouble
    style             what is added to the instructions of a spoken answer
    extra             fields that are added to each request, as {"reasoning_effort": "none"}
    warms             ask for one token at the onset of a voice, so that the server's prefix cache
                      holds the conversation
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    capacity: int = 8192
    first_patience: float = 9.0
    next_patience: float = 9.0
    probe_period: float = 5.0
    style: str = SPOKEN_STYLE
    extra: dict[str, Any] = field(default_factory=dict)
    warms: bool = True


class ChatEndpoint:
    """A ChatModel, and a models.base.Dependent. One client with its connections serves every
    instance of one address; it is used on one event loop."""

    def __init__(
        self, settings: ChatSettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.settings, self.health = settings, EndpointHealth()
        headers = {"Authorization": f"Bearer {settings.key}"} if settings.key else {}
        limit = max(settings.first_patience, settings.next_patience)
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(limit, connect=3.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            transport=transport,
        )
        self._address = f"{settings.url.rstrip('/')}/chat/completions"
        self._left_out: set[str] = set()  # fields that the address refuses
        self.sees = True
        self._images: dict[int, tuple[UserImage, str]] = {}
        self._probing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.settings.model

    @property
    def capacity(self) -> int:
        return self.settings.capacity

    @property
    def capabilities(self) -> Capabilities:
        """Pictures until the address has refused one. Languages are those of hearing and voice."""
        return Capabilities(pictures=self.sees, context=self.capacity)

    @property
    def trouble(self) -> str | None:
        return self.health.trouble

    def watch(self, observe: Callable[[str], None]) -> None:
        self.health.observe = observe

    async def reply(
        self, conversation: Conversation, options: AnswerOptions
    ) -> AsyncGenerator[ReplyPart, None]:
        """The reply's parts. Raises ReplyFailed; while nothing has been given and `first_patience`
        has not passed, what was refused for a moment is asked again."""
        until = asyncio.get_running_loop().time() + self.settings.first_patience
        begun = False
        for attempt in range(_MOST_ATTEMPTS):
            try:
                async with aclosing(self._attempt(conversation, options, until)) as parts:
                    async for part in parts:
                        begun = True
                        yield part
            except (GeneratorExit, asyncio.CancelledError):
                self.health.cancelled()
                raise
            except ReplyFailed as failure:
                if begun or not await self._may_retry(failure, attempt, until):
                    self._note(failure)
                    raise
            else:
                self.health.succeeded()
                return

    async def warm(self, conversation: Conversation) -> None:
        """Ask for one token, so that the server's prefix cache holds the conversation."""
        if self.settings.warms:
            try:
                await self._ask_once(conversation)
            except ReplyFailed as failure:
                logger.debug("the prefix was not warmed: %s", failure.reason)

    async def probe(self) -> None:
        """Ask for one token of a greeting and note how that went. Raises ReplyFailed."""
        try:
            await self._ask_once(Conversation((UserText("Hello."),)))
        except ReplyFailed as failure:
            self._note(failure)
            raise
        self.health.succeeded()

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._client.aclose()

    # ------------------------------------------------------------------------------- requests

    async def _attempt(
        self, conversation: Conversation, options: AnswerOptions, until: float
    ) -> AsyncGenerator[ReplyPart, None]:
        """One request, whatever becomes of it. Raises ReplyFailed."""
        response = await self._send(await self.body(conversation, options), until)
        try:
            async with aclosing(self._parts(response, until)) as parts:
                async for part in parts:
                    yield part
        finally:
            await response.aclose()

    async def _send(self, body: dict[str, Any], until: float) -> httpx.Response:
        """Send a request; its response, whose body has not been read. Raises ReplyFailed."""
        request = self._client.build_request("POST", self._address, json=body)
        try:
            async with asyncio.timeout_at(until):
                response = await self._client.send(request, stream=True)
                if response.is_error:
                    raise failed_response(response, await _text(response), self.settings.key)
                return response
        except (httpx.HTTPError, TimeoutError) as error:
            raise failed_transport(error) from error

    async def _parts(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ReplyPart, None]:
        """The parts of a reply as its body arrives. Raises ReplyFailed."""
        reader = DeltaReader()
        pieces = _events(response)
        async with aclosing(pieces):
            while not reader.is_over:
                data = await self._next(pieces, until)
                if data is None:
                    raise _cut_off(reader)
                for part in reader.read(data):
                    yield part
                if reader.has_said:
                    until = asyncio.get_running_loop().time() + self.settings.next_patience
            last = reader.end()
            if not reader.has_said:
                raise _empty(reader)
            for part in last:
                yield part
            await self._drain(pieces)

    async def _next(self, events: AsyncIterator[str], until: float) -> str | None:
        """The next event's data; None at the end. Raises ReplyFailed."""
        try:
            async with asyncio.timeout_at(until):
                return await anext(events, None)
        except (httpx.HTTPError, TimeoutError) as error:
            raise failed_transport(error) from error
        except ValueError as error:
            raise rubbish(str(error)) from error

    async def _drain(self, events: AsyncIterator[str]) -> None:
        """Read what comes behind the end, so that the connection can be used again."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for _ in events:
                    pass
        except (httpx.HTTPError, TimeoutError, ValueError):
            return

    async def _ask_once(self, conversation: Conversation) -> None:
        """Ask for one token and wait for it. Raises ReplyFailed."""
        body = await self.body(conversation, AnswerOptions(max_tokens=1))
        until = asyncio.get_running_loop().time() + self.settings.first_patience
        response = await self._send(body | {"stream": False}, until)
        try:
            async with asyncio.timeout_at(until):
                DeltaReader().read(await _text(response))
        except (httpx.HTTPError, TimeoutError) as error:
            raise failed_transport(error) from error
        finally:
            await response.aclose()

    # ----------------------------------------------------------------------------- the body

    async def body(self, conversation: Conversation, options: AnswerOptions) -> dict[str, Any]:
        """The request for a streamed reply."""
        style, see = self.settings.style, self._see if self.sees else None
        if see is not None and any(isinstance(i, UserImage) for i in conversation.items):
            said = await asyncio.to_thread(messages, conversation, options, style, see)
        else:
            said = messages(conversation, options, style, see)
        body: dict[str, Any] = {
            "model": self.settings.model,
            "messages": said,
            "stream": True,
            "max_tokens": options.max_tokens,
            "temperature": options.temperature,
        }
        if options.seed is not None:
            body["seed"] = options.seed
        if offered := conversation.tools if options.tools is None else options.tools:
            body["tools"] = tools(offered)
            body["tool_choice"] = _tool_choice(options.tool_choice)
        if "max_tokens" in self._left_out:
            body["max_completion_tokens"] = options.max_tokens
        kept = {name: value for name, value in body.items() if name not in self._left_out}
        return kept | self.settings.extra

    def _see(self, image: UserImage) -> str:
        """The image's address; the latest ones are encoded once."""
        known = self._images.get(id(image.pixels))
        if known is None:
            known = self._images[id(image.pixels)] = image, image_address(image)
            for old in list(self._images)[:-_IMAGES_KEPT]:
                del self._images[old]
        return known[1]

    # ----------------------------------------------------------------------------- failures

    async def _may_retry(self, failure: ReplyFailed, attempt: int, until: float) -> bool:
        """Shall a request that has given nothing be made again? Waits until then."""
        if failure.outcome == "refused":
            return self._leave_out(failure.detail)
        if failure.outcome not in _AGAIN or attempt >= len(_WAITS):
            return False
        wait = _WAITS[attempt] if failure.retry_after is None else failure.retry_after
        if asyncio.get_running_loop().time() + wait >= until:
            return False
        await asyncio.sleep(wait)
        return True

    def _leave_out(self, detail: str) -> bool:
        """Leave out, from now on, what a refusal names; False where it names nothing of use."""
        for name in _OPTIONAL:
            if name in detail and name not in self._left_out:
                logger.warning("the address refuses %s, which is left out: %s", name, detail)
                self._left_out.add(name)
                return True
        if self.sees and _NO_IMAGES.search(detail):
            logger.warning("the language model takes no images: %s", detail)
            self.sees = False
            return True
        return False

    def _note(self, failure: ReplyFailed) -> None:
        """Count a failure, tell the operator, and look after the address until it is well."""
        logger.warning("%s: %s", failure.reason, failure.detail or "no detail")
        self.health.failed(failure)
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe_until_well(), name="chat-probe")

    async def _probe_until_well(self) -> None:
        """Ask for one token now and then until the address answers again."""
        while self.health.trouble is not None:
            await asyncio.sleep(self.settings.probe_period)
            if self.health.trouble is None:
                return
            try:
                await self._ask_once(Conversation((UserText("Hello."),)))
            except ReplyFailed as failure:
                self.health.troubled(failure)
            else:
                logger.warning("the language model's address answers again")
                self.health.recovered()


async def _text(response: httpx.Response) -> str:
    """The beginning of a body, enough for any error and any single token."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _LONGEST_BODY:
            break
    return body[:_LONGEST_BODY].decode("utf-8", "replace")


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The data of a response's events as they arrive; a whole completion counts as one. Raises
    ValueError for an event that is too long."""
    if response.headers.get("content-type", "").startswith("application/json"):
        yield await _text(response)
        return
    stream = EventStream()
    async for piece in response.aiter_bytes():
        for data in stream.feed(piece):
            yield data
    for data in stream.end():
        yield data


def _cut_off(reader: DeltaReader) -> ReplyFailed:
    """The failure of a stream that stops before the model said that its reply has ended."""
    if not reader.has_read:
        return rubbish("the body holds no event: is the address right?")
    return ReplyFailed("cut_off", "the language model's answer broke off")


def _empty(reader: DeltaReader) -> ReplyFailed:
    """The failure of a reply that says nothing."""
    if reader.has_thought:
        return ReplyFailed("empty", "the language model gave nothing but its thoughts")
    return ReplyFailed("empty", "the language model gave an empty answer")


def _tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}
