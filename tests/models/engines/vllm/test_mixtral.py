"""tests: a tiny VITA-1.0 folder: its Mixtral in vLLM does what it does in torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.base import Conversation, Instructions
from models.engines.pytorch import PytorchInstance
from models.engines.pytorch import load as load_pytorch
from tests.models.engines.conformance import hear_in, sound
from tests.models.engines.vllm.engine_room import instances_of, running, words_of
from tests.models.vita.released_folder import ANSWER

HISTORY = Conversation((Instructions("be brief"),))
pytestmark = pytest.mark.timeout(600)  # starts an engine


async def test_experts_judge_and_answer_as_in_torch(mixtral_folder: Path) -> None:
    reference = PytorchInstance(load_pytorch(mixtral_folder, "cpu"), "reference")
    async with (
        running(mixtral_folder, topology="single") as engines,
        instances_of(engines) as (first, _),
    ):
        assert engines.frontend.language.experts == 4
        ours, theirs = await first.open(HISTORY), await reference.open(HISTORY)
        samples = sound(1.3)
        pairs = zip(
            await hear_in(ours, samples, [5_120]),
            await hear_in(theirs, samples, [5_120]),
            strict=True,
        )
        for one, other in pairs:
            assert abs(one.query - other.query) < 0.005
        assert await words_of(ours) == await words_of(theirs) == (ANSWER, [])
        assert first.capacity() - ours.room() == reference.capacity() - theirs.room()
    await reference.close()
