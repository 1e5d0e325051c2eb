"""tests: a tiny VITA-1.5 folder on one engine for both instances: probes, priorities, parity."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from models.base import Conversation, Instructions, UserImage, UserText
from models.engines.pytorch import PytorchInstance
from models.engines.pytorch import load as load_pytorch
from models.engines.vllm.engines import Engines
from models.engines.vllm.host import EngineHost
from models.engines.vllm.instance import load
from models.vita.tensor_files import CheckpointRefused
from tests.models.engines.test_conformance import close_to, hear_in, sound
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
