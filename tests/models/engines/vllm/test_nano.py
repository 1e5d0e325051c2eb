"""tests: nano's language model in vLLM does what it does in torch, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio
import torch

from models.base import (
    HEAR_CHUNK,
    AnswerOptions,
    AssistantText,
    BadInput,
    Conversation,
    Instructions,
    OutOfRoom,
    Tool,
    UserSound,
    UserText,
    Verdict,
)
from models.engines.pytorch import PytorchInstance
from models.engines.pytorch import load as load_pytorch
from models.engines.speech_batcher import SpeechBatcher
from models.engines.vllm.engines import CPU_BLOCK, Engines
from models.engines.vllm.instance import VllmInstance
from models.engines.vllm.stream import VllmStream
from tests.models.engines.conformance import answer_of
from tests.models.engines.vllm.engine_room import NANO, clip, instances_of, words_of

CLIPS = ("question_en_capital", "question_en_sum", "unfinished_en", "side_talk_salt", "fan")
HISTORY = Conversation((Instructions("be brief"), UserText("hello"), AssistantText("Hello.")))
NEAR = 0.005  # vLLM's attention rounds otherwise than torch's


@pytest_asyncio.fixture
async def pair(nano: Engines) -> AsyncIterator[tuple[VllmInstance, VllmInstance]]:
    async with instances_of(nano) as instances:
        yield instances


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reference() -> AsyncIterator[PytorchInstance]:
    with pytest.MonkeyPatch.context() as patch:  # on vLLM nano judges by its sound alone
        patch.setattr("models.engines.nano_torch.recogniser_for", lambda _: None)
        instance = PytorchInstance(load_pytorch(NANO, "cpu"), "reference")
    torch.set_num_threads(1)
    yield instance
    await instance.close()


def unlikeness(first: Verdict, second: Verdict) -> float:
    names = ("query", "noise", "text", "unfinished")
    return max(abs(float(getattr(first, n)) - float(getattr(second, n))) for n in names)


def waiting(engines: Engines) -> list[int]:
    """Requests of each engine that are not finished."""
    return [h.process.engine.get_num_unfinished_requests() for h in engines.hosts.values()]


@pytest.mark.parametrize("name", CLIPS)
async def test_verdicts_and_answers_are_those_of_torch(
    pair: tuple[VllmInstance, VllmInstance], reference: PytorchInstance, name: str
) -> None:
    samples = clip(name)
    ours, theirs = await pair[0].open(HISTORY), await reference.open(HISTORY)
    for start in range(0, len(samples), HEAR_CHUNK):
        chunk = samples[start : start + HEAR_CHUNK]
        first, second = await ours.hear(chunk), await theirs.hear(chunk)
        assert unlikeness(first, second) < NEAR
        assert (first.words, first.heard) == (second.words, second.heard)
    at_end = await ours.hear(samples[:0], last=True), await theirs.hear(samples[:0], last=True)
    assert unlikeness(*at_end) < NEAR
    assert await words_of(ours) == await words_of(theirs)
    assert ours.room() == theirs.room()
    await ours.close()


async def test_a_listener_without_a_place_is_heard_by_probes(
    nano: Engines, pair: tuple[VllmInstance, VllmInstance]
) -> None:
    """A session that waits for sound is a running sequence to vLLM: more of them than there are
    places for would leave none for answers."""
    host, samples = nano.mine("0a"), clip("question_en_capital")
    first = await pair[0].open(HISTORY)
    heard = [await first.hear(samples[: 8 * HEAR_CHUNK])]
    assert first.reader.tally.opened == 1
    taken = 0
    while host.park():
        taken += 1
    assert taken == nano.options.listening // 2 - 1  # of an engine of two
    second = await pair[0].open(HISTORY)
    heard.append(await second.hear(samples[: 8 * HEAR_CHUNK]))
    assert second.reader.tally.opened == 0
    assert unlikeness(*heard) < NEAR
    assert await words_of(second) == await words_of(first)
    for _ in range(taken):
        host.leave()
    for stream in (first, second):
        await stream.close()
    assert host.park()
    host.leave()


@pytest.mark.parametrize("choice", ["auto", "none", "required", "set_timer"])
async def test_calls_are_those_of_torch(
    pair: tuple[VllmInstance, VllmInstance], reference: PytorchInstance, choice: str
) -> None:
    tools = (Tool("set_timer", parameters={"properties": {"minutes": {}}}),)
    said = []
    for instance in (pair[0], reference):
        stream = await instance.open(Conversation((), tools))
        await stream.read(UserText("set a timer for three minutes"))
        said.append(await words_of(stream, tool_choice=choice))
        await stream.close()
    assert said[0] == said[1]


async def test_a_session_reads_each_chunk_once_and_reopens_within_a_block(
    pair: tuple[VllmInstance, VllmInstance],
) -> None:
    samples = clip("question_en_capital")
    stream = await pair[0].open(HISTORY)
    for chunks in range(2, 9):
        await stream.hear(samples[: chunks * HEAR_CHUNK])
        opened, again = stream.reader.tally.opened, stream.reader.tally.again
        mark = await stream.mark()
        await stream.hear(clip("fan")[: 3 * HEAR_CHUNK])
        assert stream.reader.tally.opened == opened
        await stream.rewind(mark)
        await stream.hear(clip("side_talk_salt")[:HEAR_CHUNK])
        assert stream.reader.tally.opened == opened + 1
        assert stream.reader.tally.again - again <= CPU_BLOCK
        await stream.end_segment()
    await stream.close()


async def test_two_engines_answer_and_listen_at_once(
    nano: Engines, pair: tuple[VllmInstance, VllmInstance]
) -> None:
    assert len(nano.hosts) == 2
    generator, monitor = await pair[0].open(HISTORY), await pair[1].open(HISTORY)
    await generator.read(UserText("what is the capital of france"))
    answer = asyncio.create_task(words_of(generator, max_tokens=200, temperature=1.5, seed=3))
    verdict = await monitor.hear(clip("question_en_capital"), last=True)
    assert verdict.query > 0.5
    assert (await answer)[0]
    await generator.close()
    await monitor.close()
    assert waiting(nano) == [0, 0]


async def test_running_answers_speak_together_as_each_does_alone(
    pair: tuple[VllmInstance, VllmInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    together = SpeechBatcher._together

    def noted(room: SpeechBatcher, count: int) -> tuple[torch.Tensor, ...]:
        sizes.append(count)
        return together(room, count)

    monkeypatch.setattr(SpeechBatcher, "_together", noted)
    questions = ("what is the capital of france", "hello", "what is two and three")
    options = [AnswerOptions(max_tokens=16, seed=seed) for seed in range(3)]

    async def asked(question: str) -> VllmStream:
        return await pair[0].open(Conversation((*HISTORY.items, UserText(question))))

    alone = [
        await answer_of(await asked(question), each)
        for question, each in zip(questions, options, strict=True)
    ]
    assert all(said.sound.size for said in alone)
    assert not sizes
    said = await asyncio.gather(*map(answer_of, [await asked(q) for q in questions], options))
    assert max(sizes) > 1
    assert all(one.same_as(other) for one, other in zip(alone, said, strict=True))


async def test_an_answer_that_is_closed_is_aborted(
    nano: Engines, pair: tuple[VllmInstance, VllmInstance]
) -> None:
    stream = await pair[0].open(HISTORY)
    await stream.read(UserText("what is the capital of france"))
    mark = await stream.mark()
    whole = await words_of(stream)
    await stream.rewind(mark)
    async with aclosing(stream.answer(AnswerOptions(max_tokens=400, speak=False))) as parts:
        await anext(parts)
    assert waiting(nano) == [0, 0]
    await stream.rewind(mark)
    assert await words_of(stream) == whole
    await stream.close()


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((3, 64), np.float32),
        np.full((3, 256), np.nan, np.float32),
        np.zeros(7, np.float32),
        np.zeros((5_000, 256), np.float32),
    ],
)
async def test_what_would_kill_an_engine_is_refused(
    pair: tuple[VllmInstance, VllmInstance], vectors: np.ndarray
) -> None:
    stream = await pair[0].open(HISTORY)
    with pytest.raises((BadInput, OutOfRoom)):
        await stream.read(UserSound(embedded=vectors))
    assert pair[0].is_up
    assert (await stream.hear(clip("fan"), last=True)).noise > 0.5
    await stream.close()


async def test_a_hundred_conversations_leave_nothing_behind(
    nano: Engines, pair: tuple[VllmInstance, VllmInstance]
) -> None:
    samples = clip("question_en_sum")[: 4 * HEAR_CHUNK]

    async def cycle(number: int) -> None:
        stream: VllmStream = await pair[number % 2].open(HISTORY)
        await stream.hear(samples, last=bool(number % 3))
        if number % 10 == 0:
            async with aclosing(stream.answer(AnswerOptions(max_tokens=8))) as parts:
                await anext(parts)
        await stream.close()

    for number in range(100):
        await cycle(number)
    assert waiting(nano) == [0, 0]
    for host in nano.hosts.values():  # which is refused while any block is in use
        assert await host.process.engine.reset_prefix_cache()
