"""tests: a cascade's stream: what is heard, what the language model is told, what is said."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.scripted_chat import ScriptedReply
from models.base import (
    HEAR_CHUNK,
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    AnswerTimes,
    AssistantText,
    Conversation,
    FunctionCall,
    FunctionOutput,
    Instructions,
    OutOfRoom,
    Samples,
    SpokenWord,
    Tool,
    UserSound,
    UserText,
)
from models.engines.cascade.instance import CascadeStream
from models.engines.cascade.judging import RuleJudge
from tests.models.engines.cascade.parts import (
    FailingTranscriber,
    ListedTranscriber,
    scripted_cascade,
)

LOUD: Samples = (0.1 * np.sin(np.arange(16_000) * 0.3)).astype(np.float32)  # a second
TOLD = Conversation((Instructions("be brief"),))


async def answer_of(stream: CascadeStream, **options: Any) -> list[AnswerPart]:
    return [part async for part in stream.answer(AnswerOptions(**options))]


def text_of(parts: list[AnswerPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, AnswerChunk))


async def test_a_spoken_question_is_asked_in_words() -> None:
    async with scripted_cascade() as (first, _, address):
        stream = await first.open(TOLD)
        verdict = await stream.hear(LOUD, last=True)
        assert verdict.words == "where is paris"
        assert text_of(await answer_of(stream)) == "Yes."
        assert address.chats[0].body["messages"] == [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "where is paris"},
        ]


async def test_the_next_request_holds_what_was_heard() -> None:
    """As the duplex core tells it: rewound to before the answer, and the heard words read."""
    async with scripted_cascade(lambda _: ScriptedReply(("One two three ", "four five."))) as (
        first,
        second,
        address,
    ):
        speaker, monitor = await first.open(TOLD), await second.open(TOLD)
        await speaker.hear(LOUD, last=True)
        await speaker.end_segment()
        before = await speaker.mark()
        await answer_of(speaker)
        await speaker.rewind(before)
        for item in (UserSound(words="where is paris"), AssistantText("One two", cut=True)):
            await monitor.read(item)
        await speaker.read(AssistantText("One two", cut=True))
        bodies = []
        for stream in (speaker, monitor):
            await stream.hear(LOUD, last=True)
            await answer_of(stream)
            bodies.append(address.chats[-1].body)
        assert bodies[0]["messages"] == bodies[1]["messages"]
        assert bodies[0]["messages"][1:] == [
            {"role": "user", "content": "where is paris"},
            {"role": "assistant", "content": "One two…"},  # interrupted there
            {"role": "user", "content": "where is paris"},
        ]


async def test_a_voice_warms_the_prefix_and_the_answer_asks_for_the_rest() -> None:
    async with scripted_cascade() as (first, _, address):
        stream = await first.open(TOLD)
        await stream.hear(LOUD[:HEAR_CHUNK])
        await address.until(lambda: len(address.requests) == 1 and address.requests[0].is_complete)
        await stream.hear(LOUD[HEAR_CHUNK:], last=True)
        await answer_of(stream)
        warm, asked = (request.body for request in address.requests)
        assert warm["max_tokens"] == 1
        assert asked["messages"][:1] == warm["messages"][:1]


async def test_what_is_being_warmed_gives_way_to_the_answer() -> None:
    def rule(body: Any) -> ScriptedReply:
        return ScriptedReply(first_delay=0.0 if body["stream"] else 60.0)

    async with scripted_cascade(rule) as (first, _, address):
        stream = await first.open(TOLD)
        await stream.hear(LOUD[:HEAR_CHUNK])
        await address.until(lambda: len(address.requests) == 1)
        await stream.hear(LOUD, last=True)
        await answer_of(stream)
        await address.until(lambda: address.requests[0].is_dropped)


async def test_a_cancelled_answer_stops_the_computing() -> None:
    reply = ScriptedReply([f"word{n} " for n in range(500)], piece_delay=0.01)
    async with scripted_cascade(lambda _: reply) as (first, _, address):
        stream = await first.open(TOLD)
        await stream.hear(LOUD, last=True)
        async with aclosing(stream.answer(AnswerOptions())) as parts:
            async for part in parts:
                if isinstance(part, AnswerChunk) and part.samples is not None:
                    break
        await address.until(lambda: address.chats[0].is_dropped)
        assert address.chats[0].pieces_sent < 500
        await stream.hear(LOUD)  # the stream lives


async def test_the_first_clause_is_spoken_before_the_reply_has_ended() -> None:
    reply = ScriptedReply(("It is ", "a big ", "city in "), first_delay=0.05, piece_delay=0.05)

    def rule(_: Any) -> ScriptedReply:
        return replace(reply, pieces=(*reply.pieces, "France."), cut_after=None)

    async with scripted_cascade(rule) as (first, _, address):
        stream = await first.open(TOLD)
        await stream.hear(LOUD, last=True)
        times, words = None, list[SpokenWord]()
        async for part in stream.answer(AnswerOptions()):
            assert isinstance(part, AnswerChunk)
            words += part.words
            if part.times is not None:
                times = part.times
                assert not address.chats[0].is_complete
        assert isinstance(times, AnswerTimes)
        assert 0.05 <= times.first_token <= times.first_clause <= times.first_sound
        assert " ".join(word.text for word in words) == "It is a big city in France."
        assert all(word.estimated for word in words)


async def test_markup_is_neither_said_nor_shown_and_text_alone_is_as_it_was_written() -> None:
    async with scripted_cascade(
        lambda _: ScriptedReply(("**Paris**", " 😀 is 5 km", " away."))
    ) as (
        first,
        _,
        _address,
    ):
        stream = await first.open(TOLD)
        await stream.read(UserText("how far"))
        mark = await stream.mark()
        assert text_of(await answer_of(stream)) == "Paris is 5 kilometres away."
        await stream.rewind(mark)
        assert text_of(await answer_of(stream, speak=False)) == "**Paris** 😀 is 5 km away."


async def test_tools_are_called_and_their_results_told() -> None:
    tool = Tool("get_weather")

    def rule(body: Any) -> ScriptedReply:
        if body["messages"][-1]["role"] == "tool":
            return ScriptedReply(("Sunny.",))
        return ScriptedReply((), calls=[("get_weather", '{"city":"Paris"}')])

    async with scripted_cascade(rule) as (first, _, address):
        stream = await first.open(Conversation(TOLD.items, (tool,)))
        await stream.hear(LOUD, last=True)
        mark = await stream.mark()
        assert await answer_of(stream) == [FunctionCall("get_weather", '{"city":"Paris"}')]
        await stream.rewind(mark)
        await stream.read(FunctionCall("get_weather", '{"city":"Paris"}', "call_7"))
        await stream.read(UserText("and hurry"))  # said before the result came
        await stream.read(FunctionOutput("call_7", "20 degrees"))
        assert text_of(await answer_of(stream)) == ""  # the user spoke last
        roles = [message["role"] for message in address.chats[-1].body["messages"]]
        assert roles == ["system", "user", "assistant", "tool", "user"]
        call, result = address.chats[-1].body["messages"][2:4]
        assert call["tool_calls"][0]["id"] == result["tool_call_id"] == "call_7"
        assert result["content"] == "20 degrees"


async def test_instructions_of_one_answer_stand_in_for_the_others() -> None:
    async with scripted_cascade() as (first, _, address):
        stream = await first.open(TOLD)
        await stream.read(UserText("hello"))
        await answer_of(stream, instructions="say no")
        assert address.chats[0].body["messages"][0]["content"] == "say no"


async def test_words_come_again_and_again_while_a_voice_goes_on() -> None:
    transcriber = ListedTranscriber()
    async with scripted_cascade(transcriber=transcriber) as (first, _, _address):
        stream = await first.open(TOLD)
        words = [
            (await stream.hear(chunk)).words
            for chunk in np.split(np.tile(LOUD, 8)[: 48 * HEAR_CHUNK], 48)
        ]
        assert words[0] == "(spelled)"
        assert words[-1] == "where is paris"
        gaps = np.diff(transcriber.heard)
        assert 4 * HEAR_CHUNK <= gaps.min() and len(transcriber.heard) < 12
        assert list(gaps) == sorted(gaps)


async def test_silence_is_not_transcribed() -> None:
    transcriber = ListedTranscriber("Thank you.")
    async with scripted_cascade(transcriber=transcriber) as (first, _, _address):
        stream = await first.open(TOLD)
        assert (await stream.hear(np.zeros(16_000, np.float32), last=True)).words == ""
        assert transcriber.heard == []


@pytest.mark.parametrize("room", [0.0, 0.0025])
async def test_at_a_pause_only_what_was_said_since_is_transcribed(room: float) -> None:
    """Silence behind words that were written down changes nothing, so nobody waits for it."""
    transcriber = ListedTranscriber()
    noise = np.random.default_rng(1).standard_normal(HEAR_CHUNK).astype(np.float32)
    silence = room * noise
    async with scripted_cascade(transcriber=transcriber) as (first, _, _address):
        stream = await first.open(TOLD)
        for chunk, sizes in ((LOUD, [16_000]), (silence, [16_000]), (LOUD, [16_000, 34_560])):
            assert (await stream.hear(chunk, last=True)).words == "where is paris"
            assert [size for size in transcriber.heard if size % 10_240] == sizes


async def test_the_words_of_a_turn_are_those_of_all_of_it() -> None:
    """Also where the last verdict was one of a chunk, whose words are older."""
    transcriber = ListedTranscriber("where")
    async with scripted_cascade(transcriber=transcriber) as (first, _, address):
        stream = await first.open(TOLD)
        await stream.hear(np.tile(LOUD, 2)[: 8 * HEAR_CHUNK])
        transcriber.words = "where is paris"
        await answer_of(stream)
        assert address.chats[0].body["messages"][-1]["content"] == "where is paris"


async def test_where_a_transcription_fails_the_words_are_those_that_are_spelled() -> None:
    """And not silence, for which a turn would be ignored."""
    transcriber = FailingTranscriber()
    async with scripted_cascade(transcriber=transcriber, judge=RuleJudge()) as (first, _, address):
        stream = await first.open(TOLD)
        transcriber.reason = "the transcriber's address answered 503"
        for chunk in np.split(np.tile(LOUD, 3)[: 18 * HEAR_CHUNK], 18):
            assert (await stream.hear(chunk)).query > 0.9
        await answer_of(stream)
        assert address.chats[0].body["messages"][-1]["content"] == "(spelled)"


async def test_words_change_verdicts_and_no_words_are_noise() -> None:
    transcriber = ListedTranscriber("Honey, did you feed the dog?")
    async with scripted_cascade(transcriber=transcriber, judge=RuleJudge()) as (first, _, _address):
        stream = await first.open(TOLD)
        assert (await stream.hear(LOUD, last=True)).noise > 0.3
        await stream.end_segment()
        transcriber.words = ""
        verdict = await stream.hear(LOUD, last=True)
        assert verdict.noise > 0.5
        assert verdict.query + verdict.noise + verdict.unfinished + verdict.text == pytest.approx(1)


async def test_a_long_conversation_has_an_end() -> None:
    async with scripted_cascade(capacity=600) as (first, _, _address):
        stream = await first.open(TOLD)
        with pytest.raises(OutOfRoom):
            for _ in range(100):
                await stream.read(UserText("tell me more about it, please " * 4))
        assert 0 <= stream.room() < 40
        with pytest.raises(OutOfRoom):
            while True:
                await answer_of(stream)


async def test_streams_share_the_language_model_at_the_same_time() -> None:
    reply = ScriptedReply(("Yes, ", "it is."), first_delay=0.2)
    async with scripted_cascade(lambda _: reply) as (first, second, address):
        streams = [await instance.open(TOLD) for instance in (first, second, first)]
        for stream in streams:
            await stream.read(UserText("hello"))
        began = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(answer_of(stream) for stream in streams))
        assert {text_of(parts) for parts in answers} == {"Yes, it is."}
        assert asyncio.get_running_loop().time() - began < 0.55  # and not three times as long
        assert len(address.chats) == 3
