"""tests: a language model's address that works, and one that fails in every way."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from benchmarks.scripted_chat import ScriptedChat, ScriptedReply
from models.base import (
    AnswerOptions,
    Conversation,
    FunctionCall,
    Instructions,
    Tool,
    UserImage,
    UserText,
)
from models.engines.cascade.chat_endpoint import ChatEndpoint, ChatSettings
from models.engines.cascade.health import ReplyFailed
from models.engines.cascade.language import ReplyEnd, ReplyPart

KEY = "sk-very-secret"
ASKED = Conversation((Instructions("be brief"), UserText("where is paris")))
WEATHER = Tool("get_weather", "the weather", {"type": "object", "properties": {}})


@asynccontextmanager
async def endpoint(
    reply: ScriptedReply | Callable[[Any], ScriptedReply], **settings: Any
) -> AsyncIterator[tuple[ChatEndpoint, ScriptedChat]]:
    rule = reply if callable(reply) else lambda _: reply
    async with ScriptedChat(rule) as address:
        given: dict[str, Any] = {
            "key": KEY,
            "first_patience": 2.0,
            "next_patience": 1.0,
            "probe_period": 0.05,
        }
        chat = ChatEndpoint(ChatSettings(address.url, "scripted", **(given | settings)))
        yield chat, address
        await chat.close()


async def parts_of(
    chat: ChatEndpoint,
    conversation: Conversation = ASKED,
    options: AnswerOptions = AnswerOptions(),  # noqa: B008
) -> list[ReplyPart]:
    return [part async for part in chat.reply(conversation, options)]


def text_of(parts: list[ReplyPart]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


async def failure_of(chat: ChatEndpoint) -> ReplyFailed:
    with pytest.raises(ReplyFailed) as caught:
        await parts_of(chat)
    return caught.value


async def test_a_reply_arrives_in_pieces_and_ends() -> None:
    async with endpoint(ScriptedReply(("In ", "France", "."))) as (chat, address):
        assert await parts_of(chat) == ["In ", "France", ".", ReplyEnd("stop")]
        request = address.requests[0]
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.body["model"] == "scripted"
        assert request.body["messages"][-1] == {"role": "user", "content": "where is paris"}
        assert request.body["messages"][0]["content"].startswith("be brief")


@pytest.mark.parametrize("portions", [(1,), (2, 3, 5, 7), (1000,), (1, 500)])
async def test_portions_of_the_stream_do_not_matter(portions: tuple[int, ...]) -> None:
    reply = ScriptedReply(("Schön, ", "你好", " 😀."), portions=portions)
    async with endpoint(reply) as (chat, _):
        assert text_of(await parts_of(chat)) == "Schön, 你好 😀."


async def test_one_connection_serves_many_requests() -> None:
    async with endpoint(ScriptedReply()) as (chat, address):
        for _ in range(3):
            await parts_of(chat)
        await address.until(lambda: all(request.is_complete for request in address.requests))
        assert address.num_connections == 1


async def test_the_end_says_why() -> None:
    async with endpoint(ScriptedReply(("a", "b"), finish="length")) as (chat, _):
        assert (await parts_of(chat))[-1] == ReplyEnd("length")


async def test_thoughts_are_never_given() -> None:
    pieces = ("<th", "ink>He asks ", "about Paris.</thi", "nk>\n\n", "In France.")
    async with endpoint(ScriptedReply(pieces, thoughts="Hmm.")) as (chat, _):
        assert text_of(await parts_of(chat)) == "In France."


async def test_nothing_but_thoughts_is_a_failure() -> None:
    async with endpoint(ScriptedReply(("<think>for ever",), finish="length")) as (chat, _):
        failure = await failure_of(chat)
        assert failure.outcome == "empty"
        assert "thoughts" in failure.reason


async def test_calls_come_whole() -> None:
    arguments = '{"city": "Paris"}'
    reply = ScriptedReply(("One moment.",), calls=[("get_weather", arguments), ("stop", "")])
    async with endpoint(reply) as (chat, address):
        conversation = Conversation(ASKED.items, (WEATHER,))
        parts = await parts_of(chat, conversation, AnswerOptions(tool_choice="required"))
        calls = [part for part in parts if isinstance(part, FunctionCall)]
        assert [(call.name, call.arguments) for call in calls] == [
            ("get_weather", arguments),
            ("stop", "{}"),
        ]
        body = address.requests[0].body
        assert body["tools"][0]["function"]["name"] == "get_weather"
        assert body["tool_choice"] == "required"


async def test_a_whole_completion_will_do() -> None:
    body = b'{"choices": [{"message": {"content": "In France."}, "finish_reason": "stop"}]}'
    async with endpoint(ScriptedReply(body=body)) as (chat, _):
        assert text_of(await parts_of(chat)) == "In France."


async def test_bytes_that_are_no_utf_8_cost_a_letter_only() -> None:
    event = b'data: {"choices": [{"delta": {"content": "Par\xffis"}, "finish_reason": "stop"}]}\n\n'
    reply = ScriptedReply(body=event, headers={"Content-Type": "text/event-stream"})
    async with endpoint(reply) as (chat, _):
        assert text_of(await parts_of(chat)) == "Par�is"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html><body>Welcome to nginx!</body></html>", "text/html"),
        (b"data: {no json\n\n", "text/event-stream"),
        (b'data: {"id": 3}\n\n', "text/event-stream"),
        (b'data: {"choices": [{"delta": {"tool_calls": [3]}}]}\n\n', "text/event-stream"),
        (b"data: " + b"x" * 3_000_000, "text/event-stream"),
        (b"[]", "application/json"),
    ],
)
async def test_rubbish_is_called_so(body: bytes, kind: str) -> None:
    async with endpoint(ScriptedReply(body=body, headers={"Content-Type": kind})) as (chat, _):
        failure = await failure_of(chat)
        assert failure.outcome == "rubbish"
        assert chat.trouble == failure.reason


@pytest.mark.parametrize(
    "reply",
    [
        ScriptedReply(("In ", "France"), finish=None),
        ScriptedReply(("In ", "France", ".", " Or"), cut_after=2),
    ],
)
async def test_a_reply_without_an_end_fails_after_what_was_given(reply: ScriptedReply) -> None:
    async with endpoint(reply) as (chat, address):
        given = []
        with pytest.raises(ReplyFailed) as caught:
            async for part in chat.reply(ASKED, AnswerOptions()):
                given.append(part)  # noqa: PERF401 (what was given before it raised counts)
        assert text_of(given) == "In France"
        assert caught.value.outcome == "cut_off"
        assert len(address.chats) == 1  # what has begun is not asked again


async def test_an_error_inside_the_stream_is_a_failure() -> None:
    body = b'data: {"error": {"message": "out of memory at sk-very-secret"}}\n\n'
    reply = ScriptedReply(body=body, headers={"Content-Type": "text/event-stream"})
    async with endpoint(reply) as (chat, _):
        failure = await failure_of(chat)
        assert failure.outcome == "broken"
        assert "memory" not in failure.reason  # the client is not told


async def test_a_wrong_key_is_said_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    body = b'{"error": {"message": "Incorrect API key provided: sk-very-secret."}}'
    async with endpoint(ScriptedReply(status=401, body=body)) as (chat, _):
        with caplog.at_level(logging.DEBUG, "models"):
            failure = await failure_of(chat)
        assert failure.outcome == "refused"
        assert "key" in failure.reason and "(401)" in failure.reason
        assert KEY not in failure.detail + failure.reason + repr(chat.settings) + caplog.text
        assert "Incorrect API key" in caplog.text


async def test_an_unknown_model_is_said() -> None:
    async with endpoint(ScriptedReply(status=404, body=b"no such model")) as (chat, address):
        assert "does not know the model" in (await failure_of(chat)).reason
        assert len(address.chats) == 1


async def test_out_of_quota_for_a_moment_is_asked_again() -> None:
    def rule(_: Any) -> ScriptedReply:
        if len(address.chats) == 1:
            return ScriptedReply(status=429, body=b"{}", headers={"Retry-After": "0"})
        return ScriptedReply(("In France.",))

    async with endpoint(rule) as (chat, address):
        assert text_of(await parts_of(chat)) == "In France."
        assert len(address.chats) == 2
        assert chat.trouble is None


async def test_out_of_quota_for_long_fails_at_once_and_says_how_long() -> None:
    reply = ScriptedReply(status=429, body=b"{}", headers={"Retry-After": "3600"})
    async with endpoint(reply) as (chat, address):
        failure = await failure_of(chat)
        assert failure.outcome == "busy"
        assert "3600 s" in failure.reason
        assert len(address.chats) == 1


async def test_errors_of_the_address_itself_are_tried_again_and_then_said() -> None:
    async with endpoint(ScriptedReply(status=500, body=b"oops")) as (chat, address):
        assert (await failure_of(chat)).outcome == "broken"
        assert len(address.chats) == 3


@pytest.mark.parametrize(
    "reply", [ScriptedReply(first_delay=60.0), ScriptedReply(("a", "b"), piece_delay=60.0)]
)
async def test_slowness_has_an_end(reply: ScriptedReply) -> None:
    async with endpoint(reply, first_patience=0.3, next_patience=0.3) as (chat, address):
        assert (await failure_of(chat)).outcome == "slow"
        await address.until(lambda: address.chats[0].is_dropped)


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    chat = ChatEndpoint(ChatSettings(f"http://127.0.0.1:{port}/v1", "scripted"))
    failure = await failure_of(chat)
    assert failure.outcome == "unreachable"
    assert chat.trouble == "the language model's address cannot be reached"
    await chat.close()


async def test_trouble_ends_when_the_address_is_well_again() -> None:
    def rule(_: Any) -> ScriptedReply:
        is_ill = len(address.chats) == 1 and len(address.requests) < 3
        return ScriptedReply(status=400, body=b"ill") if is_ill else ScriptedReply()

    async with endpoint(rule) as (chat, address):
        await failure_of(chat)
        assert chat.trouble is not None
        await address.until(lambda: len(address.requests) == 3 and address.requests[2].is_complete)
        await asyncio.wait_for(asyncio.shield(chat.health.well.wait()), 5)
        assert chat.trouble is None
        assert len(address.requests) == 3


async def test_closing_the_reply_closes_the_stream() -> None:
    reply = ScriptedReply([f"{n} " for n in range(1000)], piece_delay=0.02)
    outcomes: list[str] = []
    async with endpoint(reply) as (chat, address):
        chat.watch(outcomes.append)
        parts = chat.reply(ASKED, AnswerOptions())
        await anext(parts)
        await parts.aclose()
        await address.until(lambda: address.chats[0].is_dropped)
        assert address.chats[0].pieces_sent < 100
        assert outcomes == ["cancelled"]
        assert chat.trouble is None


async def test_cancelling_before_the_first_part_closes_the_request() -> None:
    async with endpoint(ScriptedReply(first_delay=60.0)) as (chat, address):
        task = asyncio.create_task(parts_of(chat))
        await address.until(lambda: len(address.chats) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await address.until(lambda: address.chats[0].is_dropped)


async def test_fields_that_are_refused_are_left_out_from_then_on() -> None:
    def rule(body: Any) -> ScriptedReply:
        for name in ("seed", "max_tokens"):
            if name in body:
                text = f'{{"error": {{"message": "Unsupported parameter: {name}"}}}}'
                return ScriptedReply(status=400, body=text.encode())
        return ScriptedReply()

    async with endpoint(rule) as (chat, address):
        options = AnswerOptions(seed=3, max_tokens=77)
        assert text_of(await parts_of(chat, ASKED, options)) == "Yes."
        await parts_of(chat, ASKED, options)
        assert len(address.chats) == 4
        assert address.chats[-1].body["max_completion_tokens"] == 77


async def test_images_are_parts_where_the_model_takes_them_and_words_where_it_does_not() -> None:
    picture = UserImage(np.full((8, 8, 3), 200, np.uint8), "low")
    conversation = Conversation((UserText("what is this"), picture))
    sees = True

    def rule(body: Any) -> ScriptedReply:
        parts = body["messages"][-1]["content"]
        has_image = isinstance(parts, list) and any(p["type"] == "image_url" for p in parts)
        if has_image and not sees:
            return ScriptedReply(status=400, body=b"image input is not supported")
        return ScriptedReply()

    async with endpoint(rule) as (chat, address):
        await parts_of(chat, conversation)
        text, image = address.chats[0].body["messages"][-1]["content"]
        assert text == {"type": "text", "text": "what is this"}
        assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")
        assert image["image_url"]["detail"] == "low"
        sees = False
        assert text_of(await parts_of(chat, conversation)) == "Yes."
        assert "cannot see" in address.chats[-1].body["messages"][-1]["content"]


async def test_warming_reads_the_conversation_and_asks_for_one_token() -> None:
    async with endpoint(ScriptedReply()) as (chat, address):
        await chat.warm(ASKED)
        await parts_of(chat)
        warm, asked = (request.body for request in address.requests)
        assert warm["max_tokens"] == 1
        assert warm["messages"] == asked["messages"][: len(warm["messages"])]
    async with endpoint(ScriptedReply(status=500, body=b"")) as (chat, address):
        await chat.warm(ASKED)  # which raises nothing
        assert len(address.requests) == 1


async def test_where_warming_costs_money_it_is_not_done() -> None:
    async with endpoint(ScriptedReply(), warms=False) as (chat, address):
        await chat.warm(ASKED)
        assert address.requests == []
