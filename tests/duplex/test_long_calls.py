"""Many turns, lost streams and a camera: what streams read stays small, and nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import numpy as np

from duplex import actions, events
from models.base import (
    AnswerOptions,
    UserImage,
    UserSound,
)
from tests.duplex.call import SHORT, Call, calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import ScriptedAnswer

BRIEF = ScriptedAnswer("one two three")
BRIEFLY = replace(SHORT, answers=lambda _: BRIEF)
TURN_TOKENS = 36  # about: a second of sound, a short answer, what stands round them


def test_many_turns_keep_streams_small() -> None:
    async def main() -> None:
        capacity = 6 * TURN_TOKENS
        async with calling(replace(BRIEFLY, capacity=capacity)) as call:
            for _ in range(9):
                await call.speak(0.8)
                await call.pause(1.5)
            assert call.reasons() == ["answered"] * 9
            assert all(len(instance.streams) > 1 for instance in call.instances)
            assert all(i.streams[-1].room() > 0.15 * capacity for i in call.instances)

    run_virtual(main())


def test_a_stream_lost_after_many_turns_is_replaced_by_one_that_knows_the_last() -> None:
    """The whole conversation would not fit into a fresh stream."""

    async def main() -> None:
        small = replace(BRIEFLY, capacity=4 * TURN_TOKENS)
        async with calling(small) as call:
            for _ in range(7):
                await call.speak(0.8)
                await call.pause(1.5)
            for instance in call.instances:
                instance.breaks("lost")
            await call.speak(0.5)
            await call.pause(1.0)
            for instance in call.instances:
                instance.mended()
            for _ in range(2):
                await call.speak(0.8)
                await call.pause(1.5)
            assert call.reasons()[-2:] == ["answered"] * 2

    run_virtual(main())


async def filmed(call: Call) -> None:
    """Two frames a second, of which the last eight are kept."""
    frame = UserImage(np.zeros((2, 2, 3), np.uint8), "low")
    for number in itertools.count():
        call.orchestrator.handle(events.ItemOffered(f"v{number}", "user", (frame,), {}))
        if number >= 8:
            gone = events.ItemDeleteRequested(f"v{number - 8}", outdated=True)
            call.orchestrator.handle(gone)
        await asyncio.sleep(0.5)


def test_frames_of_a_camera_disturb_neither_answer_nor_monitor() -> None:
    """The same talk with a camera and without: the same answers, and nothing is read twice."""
    talks = []

    async def main(has_camera: bool) -> None:
        async with calling(SHORT) as call:
            camera = asyncio.create_task(filmed(call)) if has_camera else None
            for _ in range(3):
                await call.pause(0.3)
                await call.speak(1.0)
                await call.pause(7.0)
            if camera is not None:
                camera.cancel()
            streams = [stream for instance in call.instances for stream in instance.streams]
            rewinds = sum(len(stream.record.values("rewind")) for stream in streams)
            talks.append((call.reasons(), [call.sound(n) for n in (1, 2, 3)], rewinds))
            for stream in streams:
                items = stream.memory.items
                assert len([i for i in items if isinstance(i, UserSound)]) == 3
                seen = len([i for i in items if isinstance(i, UserImage)])
                assert (6 <= seen <= 24) if has_camera else not seen
            assert len(streams) == 2  # none was opened anew

    run_virtual(main(False))
    run_virtual(main(True))
    (reasons, sounds, rewinds), (filmed_reasons, filmed_sounds, filmed_rewinds) = talks
    assert filmed_reasons == reasons == ["answered"] * 3
    assert all(np.array_equal(a, b) for a, b in zip(sounds, filmed_sounds, strict=True))
    assert filmed_rewinds == rewinds


def test_an_answer_out_of_band_reads_no_outdated_frames() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            camera = asyncio.create_task(filmed(call))
            await call.pause(6.0)
            camera.cancel()
            asked = events.ResponseRequested(AnswerOptions(speak=False), in_conversation=False)
            call.orchestrator.handle(asked)
            await call.pause(1.0)
            beside = call.instances[0].streams[1:] + call.instances[1].streams[1:]
            read = [item for stream in beside for item in stream.memory.items]
            assert len([item for item in read if isinstance(item, UserImage)]) == 4
            assert len(call.all(actions.ResponseEnded)) == 1

    run_virtual(main())
