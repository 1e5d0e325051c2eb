"""tests: what is the pytorch engine's own: one copy of weights, offline verdicts, graphs, calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from audio.features import FilterBank
from models.base import (
    AnswerChunk,
    AnswerOptions,
    AssistantText,
    Conversation,
    FunctionCall,
    FunctionOutput,
    ImageDetail,
    Tool,
    UserImage,
    UserSound,
    UserText,
)
from models.engines import vita_segment
from models.engines.pytorch import PytorchInstance, load
from models.engines.vita_model import VitaWeights
from models.engines.vita_segment import VERDICT_EVERY
from models.engines.vita_speaking import next_code
from models.synthesizers.recitation import estimated_words
from models.vita.checkpoint import write
from models.vita.network import SOUND
from models.vita.prompt import TEMPLATES
from models.vita.tensor_files import CheckpointRefused
from tests.models.vita.released_folder import ANSWER, network, tokenizer, write_released

SILENT = AnswerOptions(speak=False)
LAMP = Tool("lamp", "switches the lamp", {"type": "object", "properties": {"on": {}}})


@pytest.fixture(scope="module")
def weights(released: Path) -> VitaWeights:
    made = load(released, "cpu", capacity=512)
    assert isinstance(made, VitaWeights)
    return made


@pytest.fixture
async def instance(weights: VitaWeights) -> AsyncIterator[PytorchInstance]:
    made = PytorchInstance(weights)
    yield made
    await made.close()


def noise(samples: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(samples)).astype(np.float32)


async def text_of(instance: PytorchInstance, conversation: Conversation) -> str:
    stream = await instance.open(conversation)
    parts = [cast(AnswerChunk, part).text async for part in stream.answer(SILENT)]
    return "".join(parts)


async def test_a_spoken_question_is_answered_with_words_and_sound(
    instance: PytorchInstance,
) -> None:
    stream = await instance.open(Conversation())
    verdict = await stream.hear(noise(8_000), last=True)
    assert verdict.query > 0.9
    assert verdict.heard == 8_000
    text, sound, words = "", 0, []
    async for part in stream.answer(AnswerOptions(seed=1)):
        chunk = cast(AnswerChunk, part)
        text += chunk.text
        sound += 0 if chunk.samples is None else len(chunk.samples)
        words += [word.text for word in chunk.words]
    assert text == ANSWER
    assert words == ANSWER.split()
    assert sound > 12_000


async def test_a_second_instance_shares_the_weights(weights: VitaWeights) -> None:
    first, second = PytorchInstance(weights, "a"), PytorchInstance(weights, "b")
    before = weights.bytes
    for instance in (first, second):
        await instance.warm_up()
    assert first.weights is second.weights is weights
    assert weights.bytes == before
    assert before == sum(p.nbytes for p in weights.model.parameters()) + 2 * 80 * 4
    for instance in (first, second):
        await instance.close()


async def test_a_verdict_comes_every_320_ms_and_at_a_pause(instance: PytorchInstance) -> None:
    stream = await instance.open(Conversation())
    heard = [(await stream.hear(noise(1_600, seed))).heard for seed in range(8)]
    assert heard == [0, 0, 0, *[VERDICT_EVERY] * 3, *[2 * VERDICT_EVERY] * 2]
    assert (await stream.hear(noise(10), last=True)).heard == 12_810


async def test_what_was_probed_is_what_would_be_read_afresh(instance: PytorchInstance) -> None:
    """Verdict and room after many probes equal those of one that heard all at once."""
    often, once = await instance.open(Conversation()), await instance.open(Conversation())
    sound = noise(20_000)
    for start in range(0, 20_000, 700):
        await often.hear(sound[start : start + 700], last=start % 2_100 == 0)
    first, second = await often.hear(sound[:0], last=True), await once.hear(sound, last=True)
    assert first.query == pytest.approx(second.query, abs=1e-5)
    assert often.room() == once.room()
    vectors = (often.embedded(), once.embedded())
    assert vectors[0] is not None
    assert vectors[1] is not None
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-4)


async def test_the_verdict_is_what_the_whole_prompt_gives(
    instance: PytorchInstance, weights: VitaWeights
) -> None:
    """Against one pass over everything, without any cache."""
    stream = await instance.open(Conversation((UserText("what is"), AssistantText("Hello"))))
    sound = noise(9_000)
    for start in range(0, 9_000, 2_560):
        verdict = await stream.hear(sound[start : start + 2_560], last=start == 7_680)
    prompt, model = weights.prompt, weights.model
    ids = [*prompt.opening(), *prompt.user(), *prompt.encode("what is"), *prompt.closing()]
    ids += [*prompt.state(False), *prompt.encode("Hello"), *prompt.ending(), *prompt.user()]
    vectors = model.hear(torch.from_numpy(FilterBank()(sound)))
    whole = model.splice([*ids, SOUND, *prompt.closing()], [], [vectors])[None]
    scores = model.language.logits(model.language(whole))[0, -1, list(prompt.states.ids)]
    wanted = scores.double().softmax(-1).tolist()
    assert [verdict.query, verdict.noise, verdict.text] == pytest.approx(wanted, abs=1e-6)


async def test_a_picture_of_high_detail_is_read_in_tiles(instance: PytorchInstance) -> None:
    used = []
    details: tuple[ImageDetail, ...] = ("low", "auto", "high")
    for detail in details:
        stream = await instance.open(Conversation())
        before = stream.room()
        await stream.read(UserImage(np.zeros((56, 112, 3), np.uint8), detail))
        used.append(before - stream.room())
    assert used[1] == used[2]  # a quarter of the room is enough
    assert used[2] - used[0] == 2 * 4  # two tiles and the whole instead of the whole, 4 tokens each


async def test_a_long_segment_is_cut_where_it_is_quiet(
    instance: PytorchInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same place whatever the portions, and it can be taken back."""
    monkeypatch.setattr(vita_segment, "LONGEST", 100)
    sound = noise(40_000)
    sound[15_000:17_000] *= 0.01
    once, often = await instance.open(Conversation()), await instance.open(Conversation())
    mark = await often.mark()
    await often.hear(noise(25_000, 3), last=True)
    await often.rewind(mark)
    for start in range(0, 40_000, 900):
        verdict = await often.hear(sound[start : start + 900])
        if start == 9_000:
            mark = await often.mark()
    await often.rewind(mark)
    for start in range(9_900, 40_000, 1_300):
        verdict = await often.hear(sound[start : start + 1_300])
    verdict = await often.hear(sound[:0], last=True)
    whole = await once.hear(sound, last=True)
    assert verdict.heard == whole.heard == 40_000
    assert verdict.query == pytest.approx(whole.query, abs=1e-5)
    assert often.room() == once.room()
    turn = once.memory.state.talk.turn
    assert len(turn) == 3  # two that were cut off, and the rest
    first = turn[0].vectors
    assert 15_000 / 1_280 - 2 <= len(first) <= 17_000 / 1_280 + 2  # 80 ms a vector
    vectors = (often.embedded(), once.embedded())
    assert vectors[0] is not None
    assert vectors[1] is not None
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        AnswerOptions(speak=False, instructions="Answer in one word."),
        AnswerOptions(speak=False, tools=(LAMP,)),
    ],
)
async def test_what_is_told_for_one_answer_is_forgotten_with_it(
    instance: PytorchInstance, options: AnswerOptions
) -> None:
    told, plain = await instance.open(Conversation()), await instance.open(Conversation())
    for stream, how in ((told, options), (plain, SILENT)):
        await stream.hear(noise(6_000), last=True)
        # A model without training writes on until its room is full: what counts is the beginning.
        parts = aiter(stream.answer(replace(how, max_tokens=8)))
        await anext(parts)
        before = stream.memory.cache.decoder.length
        async for _ in parts:
            pass
        if stream is told:
            longest = before
    assert longest > before + 5  # it was there while the answer was written
    assert told.room() == plain.room()
    after = [await stream.hear(noise(5_120, 2), last=True) for stream in (told, plain)]
    assert after[0].query == pytest.approx(after[1].query, abs=1e-5)


async def test_an_answer_that_is_broken_off_forgets_it_too(instance: PytorchInstance) -> None:
    told, plain = await instance.open(Conversation()), await instance.open(Conversation())
    for stream, how in ((told, "Answer in one word."), (plain, None)):
        await stream.hear(noise(6_000), last=True)
        parts = stream.answer(AnswerOptions(speak=False, max_tokens=4, instructions=how))
        assert [part async for part in parts]
        mark = await stream.mark()
        await stream.read(UserText("what is"))
        await stream.rewind(mark)
        await stream.read(UserText("what is"))
    assert told.room() == plain.room()


async def test_every_kind_of_item_is_read(instance: PytorchInstance) -> None:
    items = (
        UserText("what is the capital of France"),
        FunctionCall("lamp", '{"on": true}', "c1"),
        FunctionOutput("c1", "on"),
        AssistantText("Hello", cut=True),
        UserImage(np.zeros((30, 40, 3), np.uint8)),
        UserSound(samples=noise(4_000)),
    )
    rooms = []
    for count in range(len(items) + 1):
        stream = await instance.open(Conversation(items[:count]))
        rooms.append(stream.room())
        await stream.close()
    assert rooms == sorted(rooms, reverse=True)
    assert len(set(rooms)) == len(rooms)
    assert await text_of(instance, Conversation(items)) == ANSWER


async def test_a_function_is_called(tmp_path: Path) -> None:
    body = '<tool_call>{"name": "lamp"}'
    folder = write_released(tmp_path, answer=body)
    instance = PytorchInstance(load(folder, "cpu", capacity=512))
    stream = await instance.open(Conversation((UserText("lamp"),), (LAMP,)))
    assert [part async for part in stream.answer(SILENT)] == [FunctionCall("lamp", "{}")]
    plain = await instance.open(Conversation((UserText("lamp"),)))
    parts = [part async for part in plain.answer(SILENT)]
    assert "".join(cast(AnswerChunk, part).text for part in parts) == body
    await instance.close()


async def test_vita_10_hears_and_writes(tmp_path: Path) -> None:
    instance = PytorchInstance(load(write_released(tmp_path, "vita-1.0"), "cpu", capacity=512))
    stream = await instance.open(Conversation())
    assert (await stream.hear(noise(6_000), last=True)).query > 0.9
    parts = [cast(AnswerChunk, part) async for part in stream.answer(AnswerOptions())]
    assert "".join(part.text for part in parts) == ANSWER
    assert all(part.samples is None for part in parts)
    await instance.close()


def test_a_folder_without_words_is_refused(tmp_path: Path) -> None:
    model = network("vita-1.5", tokenizer(TEMPLATES["vita-1.5"]))
    write(model, tmp_path / "mute")
    with pytest.raises(CheckpointRefused, match="tokenizer"):
        load(tmp_path / "mute", "cpu")


def test_codes_are_drawn_among_the_likeliest() -> None:
    logits = torch.tensor([0.0, 5.0, 4.0, -1.0])
    random = np.random.default_rng(0)
    drawn = [next_code(logits, 2, random) for _ in range(400)]
    assert set(drawn) == {1, 2}
    assert drawn.count(1) / 400 == pytest.approx(0.731, abs=0.07)
    assert {next_code(logits, 1, random) for _ in range(5)} == {1}


def test_words_share_a_chunk_in_proportion() -> None:
    words = estimated_words("to be here", 100, 1_200)
    assert [(word.text, word.start, word.end) for word in words] == [
        ("to", 100, 400), ("be", 400, 700), ("here", 700, 1_200)
    ]  # fmt: skip
    assert all(word.estimated for word in words)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
async def test_a_cuda_device_says_the_same(released: Path) -> None:
    instance = PytorchInstance(load(released, "cuda", capacity=512))
    assert await text_of(instance, Conversation((UserText("what is"),))) == ANSWER
    await instance.close()
