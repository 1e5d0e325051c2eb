"""A long talk in one session, in compressed time: contexts are renewed, nothing but words grows.

Half an hour takes ten seconds; ANTIPHON_LONG_TALK=10800 makes three hours of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from duplex import actions
from duplex.conversation import ContextEntry, SpokenTurn, Turn
from models.base import HEAR_RATE
from tests.duplex.call import SHORT, Call, calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import ScriptedAnswer

BRIEFLY = replace(SHORT, answers=lambda _: ScriptedAnswer("one two three"), capacity=400)
TALK = float(os.environ.get("ANTIPHON_LONG_TALK", "1800"))  # seconds, in three parts
A_TURN = 9.0  # seconds of a question, its answer and the silence behind it
WORDS = (Turn, ContextEntry, SpokenTurn)  # what was said, which the client may ask for
PIECE = HEAR_RATE // 10


async def sound(call: Call, seconds: float, level: float) -> None:
    """User audio at playing speed, in large pieces."""
    piece = np.full(PIECE, level, np.float32)
    for _ in range(round(seconds * HEAR_RATE / PIECE)):
        call.orchestrator.hear(piece)
        await asyncio.sleep(PIECE / HEAR_RATE)


def held() -> int:
    """How many objects of our own are there, beside those that hold what was said."""
    gc.collect()
    others = (each for each in gc.get_objects() if type(each) not in WORDS)
    modules = (str(type(each).__module__) for each in others)
    return sum(module.split(".")[0] in ("duplex", "audio") for module in modules)


def is_start(entry: object) -> bool:
    return isinstance(entry, actions.ResponseStarted)


def forget_past(call: Call) -> int:
    """What the stand-ins keep for tests to look at; how many streams they have let go."""
    count = 0
    for instance in call.instances:
        count += len(instance.streams[:-2])
        del instance.streams[:-2]
        for stream in instance.streams:
            stream.record.calls.clear()
    call.log.clear()
    return count


@pytest.mark.timeout(240)
def test_a_long_talk_changes_neither_memory_nor_latency() -> None:
    sizes, latencies, renewed = list[int](), list[float](), [0, 0, 0]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with calling(BRIEFLY) as call:
            for part in range(3):
                waits = list[float]()
                for _ in range(round(TALK / 3 / A_TURN)):
                    await sound(call, 1.0, 0.3)
                    asked = loop.time()
                    await sound(call, A_TURN - 1.0, 0.0)
                    waits += [now - asked for now, entry in call.log if is_start(entry)]
                    assert call.reasons() == ["answered"]
                    renewed[part] += forget_past(call)
                latencies.append(median(waits))
                sizes.append(held())

    run_virtual(main())
    assert min(renewed) > 4, renewed  # contexts are renewed again and again
    assert sizes[2] <= sizes[1] + 20, sizes
    assert max(latencies) - min(latencies) < 0.033 and latencies[0] < 0.3, latencies
