"""What is timed of a stream, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from models.base import AnswerChunk, AnswerOptions, AnswerPart, Conversation, InstanceFailed
from server import metering
from server.metering import MeteredInstance, MeteredStream
from server.metrics import Metrics
from tests.scripted_engine import ScriptedInstance

CHUNK = AnswerChunk(samples=np.zeros(2_400, np.float32))


class Ready:
    """Five pieces of sound that were made before they were asked for."""

    async def answer(self, _: AnswerOptions) -> AsyncIterator[AnswerPart]:
        for _piece in range(5):
            yield CHUNK


@pytest.mark.parametrize(("resting", "timed"), [(0.0, 1), (9.0, 5)])
async def test_from_a_callers_first_rest_on_nothing_is_timed(
    monkeypatch: pytest.MonkeyPatch, resting: float, timed: int
) -> None:
    monkeypatch.setattr(metering, "RESTING", resting)
    metrics = Metrics()
    stream = MeteredStream(Ready(), "one", metrics)  # type: ignore[arg-type]
    async for _ in stream.answer(AnswerOptions()):
        await asyncio.sleep(0.001)
    labels = {"model": "one", "work": "answering"}
    count = metrics.registry.get_sample_value("antiphon_model_rtf_ratio_count", labels)
    assert count == timed


class Failing(ScriptedInstance):
    """An instance that knows when it is broken, as those with a worker do."""

    @property
    def is_up(self) -> bool:
        return self.broken is None


async def test_while_an_instance_is_down_its_fellow_opens_the_streams() -> None:
    metrics, first, second = Metrics(), Failing(name="a"), Failing(name="b")
    instance = MeteredInstance(first, metrics, second)
    stream = await instance.open(Conversation())
    first.breaks()
    with pytest.raises(InstanceFailed):
        await stream.mark()
    up = metrics.registry.get_sample_value("antiphon_instances_up", {"model": "a"})
    failed = metrics.registry.get_sample_value("antiphon_failed_work_total", {"model": "a"})
    assert (up, failed) == (0, 1)
    await (await instance.open(Conversation())).mark()
    first.mended()
    await instance.open(Conversation())
    assert (len(first.streams), len(second.streams)) == (2, 1)
