"""tests: an engine process is killed in the middle of an answer."""

from __future__ import annotations

import asyncio
import os
import signal

import numpy as np
import pytest

from models.base import AnswerOptions, Conversation, InstanceFailed, Samples, UserText
from models.engines.vllm.engines import Engines
from models.engines.vllm.host import Backoff, EngineHost
from tests.models.engines.vllm.engine_room import instances_of, words_of

NOTICED = 2.0  # seconds, on a busy machine; it takes less than a tenth of one


def kill(host: EngineHost) -> None:
    (process,) = host.process.engine.engine_core.resources.engine_manager.processes
    os.kill(process.pid, signal.SIGKILL)


async def up_again(host: EngineHost) -> None:
    async with asyncio.timeout(500):
        while not host.is_up:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
async def test_its_streams_fail_at_once_and_the_pair_goes_on(nano: Engines) -> None:
    async with instances_of(nano) as (first, second):
        struck, idle = await first.open(Conversation()), await first.open(Conversation())
        other = await second.open(Conversation())
        await struck.read(UserText("what is the capital of france"))
        options = AnswerOptions(max_tokens=600, speak=False, temperature=1.5, seed=5)
        loop, host = asyncio.get_running_loop(), nano.mine(first.name)
        with pytest.raises(InstanceFailed, match="died"):
            async with asyncio.timeout(60):
                async for _ in struck.answer(options):
                    if host.is_up:
                        kill(host)
                        killed = loop.time()
        assert loop.time() - killed < NOTICED
        assert (first.is_up, second.is_up) == (False, True)
        with pytest.raises(InstanceFailed):
            await idle.read(UserText("hello there " * 40))
        await other.read(UserText("what is the capital of france"))
        assert (await words_of(other))[0]
        again = await first.open(Conversation())  # a new stream begins where there is an engine
        await again.read(UserText("what is the capital of france"))
        said = await words_of(again)
        await up_again(host)
        assert first.is_up
        with pytest.raises(InstanceFailed):
            await idle.hear(_silence(), last=True)  # streams do not outlive their engine
        home = await first.open(Conversation())
        await home.read(UserText("what is the capital of france"))
        assert await words_of(home) == said


def _silence() -> Samples:
    return np.zeros(4_000, np.float32)


def test_the_delay_before_a_new_start_grows_to_a_bound() -> None:
    delays = Backoff(first=1.0, factor=2.0, longest=5.0).delays()
    assert [next(delays) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
