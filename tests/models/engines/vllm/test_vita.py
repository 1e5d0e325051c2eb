"""tests: a tiny VITA-1.5 folder on one engine for both instances: probes, priorities, parity."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from models.base import Conversation, Instructions, UserImage, UserSound, UserText
from models.engines.pytorch import PytorchInstance
from models.engines.pytorch import load as load_pytorch
from models.engines.vllm.engines import Engines
from models.engines.vllm.host import EngineHost
from models.engines.vllm.instance import load
from models.engines.vllm.requests import SentFeatures
from models.vita.tensor_files import CheckpointRefused
from tests.models.engines.conformance import close_to, hear_in, sound
from tests.models.engines.vllm.engine_room import instances_of, words_of
from tests.models.vita.released_folder import ANSWER

HISTORY = Conversation((Instructions("be brief"),))


async def test_probes_and_answers_are_those_of_torch(vita: Engines, vita_folder: Path) -> None:
    reference = PytorchInstance(load_pytorch(vita_folder, "cpu"), "reference")
    async with instances_of(vita) as (first, _):
        ours, theirs = await first.open(HISTORY), await reference.open(HISTORY)
        samples = sound(1.3)
        pairs = zip(
            await hear_in(ours, samples, [5_120]),
            await hear_in(theirs, samples, [5_120]),
            strict=True,
        )
        for one, other in pairs:
            assert abs(one.query - other.query) < 0.005
            assert one.heard == other.heard
        assert await words_of(ours) == await words_of(theirs) == (ANSWER, [])
        assert first.capacity() - ours.room() == reference.capacity() - theirs.room()
    await reference.close()


def test_narrow_heads_are_refused_before_any_process_starts(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineHost, "start", lambda host: pytest.fail("a process was started"))
    with pytest.raises(CheckpointRefused, match="heads are 16 wide"):
        load(released, "cpu")


async def test_images_enter_as_features(vita: Engines, vita_folder: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (60, 80, 3), np.uint8)
    reference = PytorchInstance(load_pytorch(vita_folder, "cpu"), "reference")
    async with instances_of(vita) as (first, _):
        used = []
        for instance in (first, reference):
            stream = await instance.open(HISTORY)
            await stream.read(UserImage(pixels))
            await stream.read(UserText("what is the capital of France"))
            used.append((instance.capacity() - stream.room(), await words_of(stream)))
        assert used[0] == used[1]
    await reference.close()


async def test_one_engine_hears_while_it_answers(vita: Engines) -> None:
    assert len(vita.hosts) == 1
    async with instances_of(vita) as (first, second):
        generator, monitor, alone = [await each.open(HISTORY) for each in (first, second, second)]
        await generator.read(UserText("what is the capital of France"))
        answer = asyncio.create_task(words_of(generator))
        verdict = await monitor.hear(sound(1.0), last=True)
        assert (await answer)[0] == ANSWER
        assert close_to(verdict, await alone.hear(sound(1.0), last=True))


async def test_what_an_engine_holds_is_not_sent_again(vita: Engines) -> None:
    """Probes bring the whole conversation: only what is new of it travels. Should the engine have
    lost what it held, everything is sent once more, and nobody notices."""
    (host,) = vita.hosts.values()
    async with instances_of(vita) as (first, second):
        stream, plain = await first.open(HISTORY), await second.open(HISTORY)
        turn = UserSound(embedded=np.random.default_rng(5).standard_normal(
            (40, vita.frontend.language.width)).astype(np.float32))  # fmt: skip
        await stream.read(turn)
        await stream.hear(sound(0.7), last=True)
        line = stream._state.talk.line
        assert len(line.features) == 2
        sent = host.inputs.news(line)["mm_kwargs"]["audio"]
        assert sent == [None, None]
        whole = host.inputs.of(line)["mm_kwargs"]["audio"]
        assert all(item is not None for item in whole)
        await host.process.engine.reset_mm_cache()
        await host.process.engine.reset_prefix_cache()
        after_loss = await stream.hear(sound(0.4, 2), last=True)
        await plain.read(turn)
        await plain.hear(sound(0.7), last=True)
        assert close_to(after_loss, await plain.hear(sound(0.4, 2), last=True))
        assert await words_of(stream) == await words_of(plain) == (ANSWER, [])


def test_what_is_thought_to_be_held_is_less_than_what_is() -> None:
    sent = SentFeatures(kept_bytes=100)
    for number in range(6):
        assert not sent.holds(f"feature {number}")
        sent.note(f"feature {number}", 15)
        sent.holds("feature 0")
    held = [number for number in range(6) if sent.holds(f"feature {number}")]
    assert held == [0, 4, 5]  # the most recently used, up to half
    sent.note("large", 60)
    assert not sent.holds("large") and not sent.holds("feature 5")
