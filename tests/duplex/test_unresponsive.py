"""Who does not stop is left behind; who is only late is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from duplex.roles import STOP_TIMEOUT_S, expect_stop
from duplex.trace import Measured
from tests.duplex.call import Recorder, calling
from tests.duplex.virtual import VirtualLoop, run_virtual
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer

STORY = ScriptedAnswer(" ".join(str(number) for number in range(40)), chunk_delay=0.1)


@pytest.mark.parametrize(
    ("takes", "stall", "is_blamed"),
    [(0.1, 0.0, False), (0.25, 0.0, True), (0.25, 1.0, False), (9.0, 1.0, True)],
)
def test_only_time_on_a_loop_that_is_on_time_counts(
    takes: float, stall: float, is_blamed: bool
) -> None:
    async def main() -> None:
        loop, blamed = asyncio.get_running_loop(), list[float]()
        assert isinstance(loop, VirtualLoop)
        job = asyncio.create_task(asyncio.sleep(takes))
        expect_stop(job, STOP_TIMEOUT_S, lambda: blamed.append(loop.time()))
        await asyncio.sleep(0.02)
        loop.stall(stall)
        await asyncio.sleep(2.0)
        assert len(blamed) == is_blamed
        assert all(at <= STOP_TIMEOUT_S + stall + 0.03 for at in blamed)
        job.cancel()

    run_virtual(main())


@pytest.mark.parametrize(("stuck", "refuses"), [(0.5, False), (5.0, True)])
def test_new_calls_are_refused_only_while_an_instance_stays_stuck(
    stuck: float, refuses: bool
) -> None:
    async def main() -> None:
        answers = [replace(STORY, stuck=stuck)] * 9
        script = EngineScript(verdict=lambda _: QUERY, answers=answers)
        recorder = Recorder()
        async with calling(script, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(1.0)
            call.instances[0].script = call.instances[1].script = replace(script, answers=[STORY])
            await call.speak(1.0)
            full = []
            for _ in range(16):
                await call.pause(0.5)
                full.append(not call.pool.room)
            assert any(full) is refuses
            assert not full[-1]  # it has stopped at last
            what = [r.payload.what for r in recorder.records if isinstance(r.payload, Measured)]
            assert what.count("unresponsive_instances") == 1

    run_virtual(main())


@pytest.mark.parametrize("wait", [0.1, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 6.0])
def test_the_stream_of_work_that_did_not_stop_is_closed_once_it_has(wait: float) -> None:
    """Its instance keeps a stream with all its memory until then, and has only so many. The session
    may end meanwhile: before the work is left behind, while its worker is closed, or later."""

    async def main() -> None:
        answers = [replace(STORY, stuck=3.0)] * 9
        script = EngineScript(verdict=lambda _: QUERY, answers=answers)
        async with calling(script) as call:
            await call.speak(1.0)
            await call.pause(1.0)
            await call.speak(0.6)
            await call.pause(wait)
            streams = [stream for each in call.instances for stream in each.streams]
            if wait > 5:
                assert len(streams) > 2  # one was left behind and replaced
                assert sum(not stream.closed for stream in streams) == 2
        await asyncio.sleep(6.0)
        assert all(stream.closed for each in call.instances for stream in each.streams)

    run_virtual(main())
