"""tests: voices that step together say what each says alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.base import AnswerOptions, Conversation, UserText
from models.engines.bundle import LANGUAGE
from models.engines.nano_torch import TorchNano
from models.engines.pytorch import PytorchInstance, load
from models.engines.speech_batcher import SpeechBatcher, SpeechSlot
from models.training.export import Parts
from models.vita.config import SpeechDecoderConfig
from models.vita.letters import spell
from models.vita.speech_decoder import SpeechDecoder
from models.vita.spoken_chunk import START, CodeChoice, SpokenChunkDecoder
from tests.models.engines.conformance import answer_of
from tests.models.engines.conftest import torch_networks

NANO = Path(__file__).parents[3] / "models" / "nano"
SENTENCES = (
    "Paris is the capital of France.",
    "Yes.",
    "I have set a timer for three minutes, and the lamp is on.",
    "法国的首都是巴黎。",
    "Good morning!",
    "Seven and five are twelve.",
)
WIDTH = 32
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def room() -> SpeechBatcher:
    torch.manual_seed(2)
    config = SpeechDecoderConfig(
        width=WIDTH, layers=2, heads=4, feed_forward=64, codes=20, aligner=(1, 0)
    )
    return SpeechBatcher(SpeechDecoder(config).eval().requires_grad_(False), text=12, codes=20)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many voices each step was for."""
    seen: list[int] = []
    alone, together = SpeechBatcher._alone, SpeechBatcher._together

    def noted_alone(room: SpeechBatcher, line: SpeechSlot) -> tuple[Tensor, ...]:
        seen.append(1)
        return alone(room, line)

    def noted_together(room: SpeechBatcher, count: int) -> tuple[Tensor, ...]:
        seen.append(count)
        return together(room, count)

    monkeypatch.setattr(SpeechBatcher, "_alone", noted_alone)
    monkeypatch.setattr(SpeechBatcher, "_together", noted_together)
    return seen


def begun(room: SpeechBatcher, seed: int, letters: int = 6) -> SpeechSlot:
    line = SpeechSlot(room)
    line.begin(torch.randn(letters, WIDTH, generator=torch.Generator().manual_seed(seed)))
    line.expect(0)
    return line


def following(room: SpeechBatcher, seed: int, count: int) -> list[Tensor]:
    """What a voice hears alone, for the codes 0, 1, 2, ..."""
    line = begun(SpeechBatcher(room.decoder, 12, 20), seed)
    return [line.advance(code)[0] for code in range(count)]


@torch.inference_mode()
def test_whoever_waits_is_served_and_nobody_is_waited_for(
    room: SpeechBatcher, sizes: list[int]
) -> None:
    wanted = [following(room, seed, 3) for seed in range(3)]
    sizes.clear()
    first, second = begun(room, 0), begun(room, 1)
    found = [[first.advance(0)[0]], [], []]  # the second's is made, not yet fetched
    first.expect(1)
    found[0].append(first.advance(1)[0])  # the second lags behind: it has what it needs
    third = begun(room, 2)
    found[1].append(second.advance(0)[0])
    second.expect(1)
    found[2].append(third.advance(0)[0])
    found[1].append(second.advance(1)[0])
    for line, made in ((first, found[0]), (second, found[1])):
        line.expect(2)
        made.append(line.advance(2)[0])
    assert sizes == [2, 1, 2, 1, 1]
    for made, alone in zip(found, wanted, strict=True):
        for one, other in zip(made, alone, strict=False):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_first_sound_goes_before_running_answers(room: SpeechBatcher, sizes: list[int]) -> None:
    lines = [begun(room, seed) for seed in range(4)]
    for line, urgent in zip(lines, (False, True, False, True), strict=True):
        line.expect(0, urgent)
    lines[1].advance(0)
    lines[3].advance(0)
    assert sizes == [2]
    lines[1].expect(1, urgent=True)
    lines[0].advance(0)
    assert sizes == [2, 3]  # who is hurried may come along


@torch.inference_mode()
def test_a_growing_room_forgets_nothing(room: SpeechBatcher) -> None:
    """Nine voices in turn, each with a step alone; then all, and the odd ones, together: those
    that speak are brought among the first rows."""
    wanted = [following(room, seed, 4) for seed in range(9)]
    lines = []
    for seed in range(9):
        lines.append(begun(room, seed))
        lines[-1].advance(0)
    for code, speaking in ((1, range(9)), (2, range(1, 9, 2)), (3, range(1, 9, 2))):
        for at in speaking:
            lines[at].expect(code)
        for at in speaking:
            torch.testing.assert_close(
                lines[at].advance(code)[0], wanted[at][code], atol=1e-5, rtol=0
            )
    assert all(lines[at].row < 4 for at in range(1, 9, 2))
    for at in range(0, 9, 2):  # who sat out goes on where it was
        lines[at].expect(2)
        torch.testing.assert_close(lines[at].advance(2)[0], wanted[at][2], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_rows_are_for_those_who_are_there(room: SpeechBatcher) -> None:
    lines = [begun(room, seed) for seed in range(9)]
    assert sorted(line.row for line in lines) == list(range(9))
    assert len(room._holders) == 16
    row = lines.pop(2).row
    assert begun(room, 9).row == row
    silent = SpeechSlot(room)
    assert silent.row < 0


@torch.inference_mode()
def test_a_chunk_that_was_broken_off_leaves_nothing(room: SpeechBatcher, sizes: list[int]) -> None:
    wanted = following(room, 3, 2)
    broken, other = begun(room, 1), begun(room, 2)
    sizes.clear()
    other.advance(0)
    for code in (1, 2):
        other.expect(code)
        other.advance(code)
    assert sizes == [2, 1, 1]  # the broken one had its last step
    broken.begin(torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(3)))
    for code, alone in enumerate(wanted):
        torch.testing.assert_close(broken.advance(code)[0], alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_full_row_takes_no_code(room: SpeechBatcher, sizes: list[int]) -> None:
    full, other = begun(room, 1, letters=12), begun(room, 2)
    for code in [1] * 20:
        full.advance(code)
        full.expect(code)
    assert full.full
    other.advance(0)
    sizes.clear()
    other.expect(3)
    other.advance(3)
    assert sizes == [1]


def codes(line: SpeechSlot, text: str, choice: CodeChoice) -> Iterator[list[int]]:
    """The codes of a sentence so far, one more at each turn."""
    spelling = spell(text)
    ids = torch.tensor([spelling.ids])
    line.begin(line.decoder.embed_text(ids)[0])
    recital, code = SpokenChunkDecoder(spelling, choice), START
    while True:
        line.expect(code)
        yield recital.codes
        logits, weights = line.advance(code)
        assert weights is not None
        taken = recital.take(logits.numpy(), weights.numpy())
        if taken is None:
            return
        code = taken


@pytest.mark.skipif(not (NANO / LANGUAGE).exists(), reason="models/nano has no weights")
@pytest.mark.parametrize("top_k", [1, 2])
@torch.inference_mode()
def test_nano_says_the_same_codes_in_company(top_k: int, sizes: list[int]) -> None:
    """Six sentences, each joining five steps after the one before."""
    nano = load(NANO, "cpu")
    assert isinstance(nano, TorchNano) and nano.networks.speech is not None
    room = SpeechBatcher(nano.networks.speech, 256, 768)
    choices = [CodeChoice(top_k=top_k, seed=seed) for seed in range(len(SENTENCES))]
    alone = []
    for text, choice in zip(SENTENCES, choices, strict=True):
        *_, last = codes(SpeechSlot(room), text, choice)
        alone.append(last)
    assert set(sizes) == {1}
    waiting = [codes(SpeechSlot(room), *each) for each in zip(SENTENCES, choices, strict=True)]
    together: list[list[int]] = [[] for _ in waiting]
    for turn in range(max(map(len, alone)) + 5 * len(alone)):
        for number, voice in enumerate(waiting[: 1 + turn // 5]):
            together[number] = next(voice, together[number])
    assert max(sizes) >= 4
    assert together == alone


@pytest.fixture(params=["nano", "vita"])
async def instance(request: pytest.FixtureRequest, parts: Parts) -> AsyncIterator[PytorchInstance]:
    if request.param == "nano":
        made = PytorchInstance(TorchNano(torch_networks(parts)))
    else:
        made = PytorchInstance(load(request.getfixturevalue("released"), "cpu", capacity=256))
    yield made
    await made.close()


async def test_answers_of_an_instance_are_spoken_together(
    instance: PytorchInstance, sizes: list[int]
) -> None:
    talks = [Conversation((UserText(f"hello {word}"),)) for word in ("one", "two", "three", "set")]
    options = [AnswerOptions(max_tokens=16, seed=seed) for seed in range(len(talks))]
    alone = [
        await answer_of(await instance.open(talk), each)
        for talk, each in zip(talks, options, strict=True)
    ]
    assert set(sizes) == {1}
    streams = [await instance.open(talk) for talk in talks]
    together = await asyncio.gather(*map(answer_of, streams, options))
    assert max(sizes) > 1
    assert all(one.sound.size for one in alone)
    assert all(one.same_as(other) for one, other in zip(alone, together, strict=True))
