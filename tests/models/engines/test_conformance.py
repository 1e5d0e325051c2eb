"""tests: what every engine keeps to, whatever it is made of (models.base.Stream)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from models.base import (
    HEAR_CHUNK,
    AnswerChunk,
    AnswerOptions,
    AssistantText,
    Conversation,
    FunctionOutput,
    Instance,
    Instructions,
    Item,
    OutOfRoom,
    Tool,
    UnknownMark,
    UserSound,
    UserText,
    Verdict,
)
from models.capabilities import Measuring
from models.engines import pytorch
from models.engines.embedded import EmbeddedInstance, load
from models.engines.nano_torch import TorchNano
from tests.engine_script import EngineScript
from tests.models.engines.conformance import (
    SHORT,
    Said,
    answer_of,
    cascades,
    close_to,
    hear_in,
    scripted_answer,
    scripted_verdict,
    smollm,
    sound,
)
from tests.models.engines.conftest import torch_networks
from tests.scripted_engine import ScriptedInstance

pytestmark = pytest.mark.timeout(300)  # the first of all exports a model

HISTORY = Conversation(
    (Instructions("be brief"), UserText("what is the capital of france"), AssistantText("paris"))
)
LONG = UserText("tell me a story about the fox")  # to noise a trained model says nothing


@pytest.fixture(params=["scripted", "embedded", "pytorch", "pytorch-nano", "cascade", "smollm"])
async def instances(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Instance, Instance]]:
    made: list[Any]
    if request.param == "cascade":
        async with cascades(request.getfixturevalue("folder")) as parts:
            yield parts[0], parts[1]
            for part in parts:
                await part.close()
        return
    if request.param == "scripted":
        script = EngineScript(verdict=scripted_verdict, answers=scripted_answer, capacity=256)
        made = [ScriptedInstance(script, name=name) for name in "ab"]
    elif request.param == "pytorch":
        weights = pytorch.load(request.getfixturevalue("released"), "cpu", capacity=256)
        made = [pytorch.PytorchInstance(weights, name) for name in "ab"]
    elif request.param == "pytorch-nano":
        nano = TorchNano(torch_networks(request.getfixturevalue("parts")))
        made = [pytorch.PytorchInstance(nano, name) for name in "ab"]
    elif request.param == "smollm":
        small = request.getfixturevalue("tmp_path_factory").mktemp("smollm")
        made = list(smollm(request.getfixturevalue("folder"), small))
    else:
        folder: Path = request.getfixturevalue("folder")
        bundle = load(folder)
        made = [EmbeddedInstance(bundle, name) for name in "ab"]
    yield made[0], made[1]
    for instance in made:
        await instance.close()


def engine_of(request: pytest.FixtureRequest) -> str:
    """The engine that a test is run with."""
    return str(request.node.callspec.params["instances"])


@pytest.fixture
def instance(instances: tuple[Instance, Instance]) -> Instance:
    return instances[0]


Pair: TypeAlias = tuple[Instance, Instance]


async def test_verdicts_sum_to_one_and_follow_the_sound(instance: Instance) -> None:
    stream = await instance.open(HISTORY)
    verdicts = await hear_in(stream, sound(1.6), [HEAR_CHUNK])
    for verdict in verdicts:
        total = verdict.query + verdict.noise + verdict.text + verdict.unfinished
        assert total == pytest.approx(1.0, abs=1e-6)
    heard = [verdict.heard for verdict in verdicts]
    assert heard == sorted(heard)
    assert 1.6 * 16_000 - 2 * HEAR_CHUNK <= heard[-1] <= 1.6 * 16_000
    assert len({round(verdict.query, 5) for verdict in verdicts}) > 3


@pytest.mark.parametrize("sizes", [[1, 700, 333], [5000], [40_000]])
async def test_portions_do_not_matter(instance: Instance, sizes: list[int]) -> None:
    whole, odd = await instance.open(HISTORY), await instance.open(HISTORY)
    samples = sound(1.2)
    first = (await hear_in(whole, samples, [HEAR_CHUNK]))[-1]
    second = (await hear_in(odd, samples, sizes))[-1]
    assert close_to(first, second)
    assert (await answer_of(whole)).same_as(await answer_of(odd))


async def test_a_flush_is_taken_back_when_hearing_goes_on(instance: Instance) -> None:
    plain, flushed = await instance.open(HISTORY), await instance.open(HISTORY)
    samples, pause = sound(1.5), 7_000
    await flushed.hear(samples[:pause])
    at_pause = await flushed.hear(samples[pause : pause + 500], last=True)
    assert at_pause.heard == pause + 500
    await plain.hear(samples)
    assert close_to(await plain.hear(samples[:0]), await flushed.hear(samples[pause + 500 :]))
    assert close_to(
        await plain.hear(samples[:0], last=True), await flushed.hear(samples[:0], last=True)
    )
    assert plain.room() == flushed.room()
    assert (await answer_of(plain)).same_as(await answer_of(flushed))


async def test_rewinding_forgets_exactly(instance: Instance) -> None:
    plain, winding = await instance.open(HISTORY), await instance.open(HISTORY)
    first, second = sound(0.9), sound(0.7, seed=5)
    for stream in (plain, winding):
        await stream.hear(first)
    mark, room = await winding.mark(), winding.room()
    await winding.hear(sound(1.0, seed=9), last=True)
    await winding.end_segment()
    await answer_of(winding)
    await winding.read(UserText("three two one"))
    await winding.rewind(mark)
    assert winding.room() == room
    for stream in (plain, winding):
        await stream.hear(second)
    assert close_to(
        await plain.hear(second[:0], last=True), await winding.hear(second[:0], last=True)
    )
    assert (await answer_of(plain)).same_as(await answer_of(winding))


async def test_a_mark_at_a_pause_outlives_going_on(instance: Instance) -> None:
    """Speculation: flush, mark, answer, rewind, go on; and the mark again after all of it."""
    plain, stream = await instance.open(HISTORY), await instance.open(HISTORY)
    first, second = sound(0.75), sound(0.7, seed=5)
    await stream.hear(first, last=True)
    mark = await stream.mark()
    said = await answer_of(stream)
    await stream.rewind(mark)
    await stream.hear(second, last=True)
    await plain.hear(np.concatenate([first, second]), last=True)
    assert (await answer_of(plain)).same_as(await answer_of(stream))
    await stream.rewind(mark)
    assert said.same_as(await answer_of(stream))


async def test_a_foreign_mark_is_refused(instance: Instance) -> None:
    stream, other = await instance.open(HISTORY), await instance.open(HISTORY)
    early = await stream.mark()
    await stream.read(UserText("one two"))
    late = await stream.mark()
    await stream.rewind(early)
    with pytest.raises(UnknownMark, match="not a mark"):
        await stream.rewind(late)
    with pytest.raises(UnknownMark, match="not a mark"):
        await other.rewind(late)


async def test_a_cancelled_answer_can_be_rewound(instance: Instance) -> None:
    stream, other = await instance.open(HISTORY), await instance.open(HISTORY)
    for each in (stream, other):
        await each.hear(sound(0.8), last=True)
    mark, room = await stream.mark(), stream.room()
    async with aclosing(stream.answer(SHORT)) as parts:  # type: ignore[type-var]
        async for _ in parts:
            break
    task = asyncio.create_task(answer_of(other))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stream.rewind(mark)
    assert stream.room() == room
    again = await answer_of(stream)
    fresh = await instance.open(HISTORY)
    await fresh.hear(sound(0.8), last=True)
    assert again.same_as(await answer_of(fresh))
    assert isinstance(await other.hear(sound(0.2)), Verdict)


def _needs_speakable_text(request: pytest.FixtureRequest) -> None:
    if "smollm" in request.node.name:
        pytest.skip("a small model with drawn weights writes control characters: nothing is said")


async def test_words_have_their_place_in_the_sound(
    instance: Instance, request: pytest.FixtureRequest
) -> None:
    _needs_speakable_text(request)
    stream = await instance.open(HISTORY)
    await stream.hear(sound(0.8), last=True)
    said = await answer_of(stream, AnswerOptions(max_tokens=24, seed=3))
    assert said.sound.size > 0
    assert said.words
    assert said.words[0].start >= 0
    assert said.words[-1].end <= said.sound.size
    assert all(word.start <= word.end for word in said.words)
    assert all(before.end <= after.start for before, after in pairwise(said.words))
    spoken = "".join(word.text for word in said.words)
    assert spoken == "".join(said.text.split())  # Chinese has no spaces between words


async def test_silence_on_request(instance: Instance, request: pytest.FixtureRequest) -> None:
    _needs_speakable_text(request)
    loud, quiet = await instance.open(HISTORY), await instance.open(HISTORY)
    for stream in (loud, quiet):
        await stream.hear(sound(0.8), last=True)
    written = await answer_of(quiet, AnswerOptions(max_tokens=8, seed=1, speak=False))
    assert written.sound.size == 0
    assert written.text == (await answer_of(loud)).text


@pytest.mark.parametrize("temperature", [0.0, 1.5])
async def test_seeds_reproduce(instances: Pair, temperature: float) -> None:
    said = []
    for instance in instances:
        stream = await instance.open(HISTORY)
        await stream.hear(sound(0.5), last=True)
        options = AnswerOptions(max_tokens=8, seed=11, temperature=temperature)
        said.append(await answer_of(stream, options))
    assert said[0].same_as(said[1])


async def test_room_shrinks_until_there_is_none(instance: Instance) -> None:
    empty, stream = await instance.open(Conversation()), await instance.open(HISTORY)
    assert empty.room() <= instance.capacity()
    assert stream.room() < empty.room()
    room = stream.room()
    await stream.hear(sound(0.8), last=True)
    assert stream.room() < room
    with pytest.raises(OutOfRoom):
        while True:
            before = stream.room()
            await stream.read(UserText("hello there what is it " * 8))
            assert stream.room() < before
    assert stream.room() == before
    with pytest.raises(OutOfRoom):
        long = UserText("hello there " * instance.capacity())  # cut to a part of the room
        await instance.open(Conversation((long,) * 6))


@pytest.mark.parametrize(
    "item",
    [
        UserText("hello there what is it " * 900),
        UserText("\N{GRINNING FACE}" * 3_000),
        AssistantText("it is what it is " * 900),
        Instructions("be brief and kind " * 900),
        FunctionOutput("call", "it is sunny today " * 900),
    ],
)
async def test_what_is_said_to_fit_is_read_and_leaves_room(
    instance: Instance, item: Item, request: pytest.FixtureRequest
) -> None:
    if not isinstance(instance, Measuring) or engine_of(request) == "pytorch-nano":
        pytest.skip("it measures nothing, or its prompt was made here without a capacity")
    kept = instance.fitted(item)
    name = "output" if isinstance(item, FunctionOutput) else "text"
    assert kept is not item and 0 < len(getattr(kept, name)) < len(getattr(item, name))
    assert getattr(item, name).startswith(getattr(kept, name))
    stream = await instance.open(Conversation())
    await stream.read(kept)
    assert stream.room() > 0  # the toy checkpoints have a few hundred tokens in all
    short = UserText("hello there")
    assert instance.fitted(short) is short


async def test_functions_that_are_said_to_fit_leave_room(
    instance: Instance, request: pytest.FixtureRequest
) -> None:
    if not isinstance(instance, Measuring) or engine_of(request) == "pytorch-nano":
        pytest.skip("it measures nothing, or its prompt was made here without a capacity")
    tools = tuple(Tool(f"f{n}", "") for n in range(400))  # the toys have few tokens, of one letter
    count = instance.num_fitting(tools)
    assert count > 0
    assert instance.num_fitting(tools[:count]) == count
    stream = await instance.open(Conversation(tools=tools[:count]))
    bare = await instance.open(Conversation())
    assert 0 < stream.room() < bare.room()
    endless = Tool("f" * 20 * instance.capacity(), "g" * 20 * instance.capacity())
    assert instance.num_fitting((tools[0], endless, tools[1])) == 1


async def test_an_answer_that_may_not_be_longer_says_so(
    instance: Instance, request: pytest.FixtureRequest
) -> None:
    """The wire calls it incomplete."""
    if engine_of(request) in ("scripted", "cascade"):
        pytest.skip("its script ends by itself")
    stream = await instance.open(Conversation())
    await stream.read(LONG)
    parts = [part async for part in stream.answer(AnswerOptions(max_tokens=1, seed=1))]
    assert any(part.cut_short for part in parts if isinstance(part, AnswerChunk))


async def test_heard_sound_can_be_told_to_another(instances: Pair) -> None:
    """A fresh stream with the embedded turn in its history knows as much as one that heard it."""
    first = await instances[0].open(HISTORY)
    assert first.embedded() is None
    await first.hear(sound(0.96), last=True)
    vectors = first.embedded()
    assert vectors is not None
    assert vectors.ndim == 2
    await first.end_segment()
    turn = UserSound(samples=sound(0.96), embedded=vectors)
    second = await instances[1].open(Conversation((*HISTORY.items, turn)))
    for stream in (first, second):
        await stream.hear(sound(0.5, seed=2), last=True)
    assert len(first.embedded()) > len(vectors)  # type: ignore[arg-type]


async def test_streams_do_not_disturb_each_other(instance: Instance) -> None:
    alone = []
    for seed in (1, 2):
        stream = await instance.open(HISTORY)
        await stream.hear(sound(1.1, seed), last=True)
        alone.append(await answer_of(stream))
    streams = [await instance.open(HISTORY) for _ in alone]
    for start in range(0, round(1.1 * 16_000), 1_000):
        for seed, stream in zip((1, 2), streams, strict=True):
            await stream.hear(sound(1.1, seed)[start : start + 1_000])
    for stream in streams:
        await stream.hear(np.zeros(0, np.float32), last=True)
    together = await asyncio.gather(*(answer_of(stream) for stream in streams))
    assert all(one.same_as(other) for one, other in zip(alone, together, strict=True))


async def test_an_answer_that_rests_holds_up_nobody_and_goes_on_as_it_was(
    instance: Instance,
) -> None:
    told, other = [await instance.open(HISTORY) for _ in range(2)]
    await told.read(LONG)
    whole = await answer_of(told)
    resting = await instance.open(HISTORY)
    await resting.read(LONG)
    said, parts = Said(), resting.answer(SHORT)
    said.add(await anext(parts))
    await other.read(UserText("what is the capital of italy"))
    assert (await answer_of(other)).text
    async for part in parts:
        said.add(part)
    assert said.same_as(whole)


async def test_manners(instance: Instance) -> None:
    stream = await instance.open(HISTORY)
    await stream.read(LONG)
    parts = stream.answer(SHORT)
    await anext(parts)
    with pytest.raises(RuntimeError, match="while answer is running"):
        await stream.mark()
    await parts.aclose()  # type: ignore[attr-defined]
    await stream.close()
    await stream.close()
    for call in (stream.hear(sound(0.1)), stream.mark(), stream.read(UserText("one"))):
        with pytest.raises(RuntimeError, match="closed stream"):
            await call
