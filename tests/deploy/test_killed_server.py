"""A server is killed in the middle of an answer; its client goes on at another one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from typing import Any

import pytest

from benchmarks.restarts import RestartedFleet, fleet
from server.call.caller import Caller
from server.call.conversation import CallMachine
from server.call.script import CallScript, Cue
from server.call.timeline import TimelineClip
from tests.server.house import noise

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None or shutil.which("redis-server") is None,
    reason="haproxy or redis-server is not installed",
)
SERVED_BY = "tests.clients.scripted_server"
QUESTION = TimelineClip.of("question", noise(0.6))
BACK_WITHIN = 3.0  # seconds


def happened(call: CallMachine, kind: str) -> list[dict[str, Any]]:
    return [one.event for one in call.happenings if one.event["type"] == kind]


async def kill_in_answer(running: RestartedFleet, caller: Caller) -> str:
    """SIGKILL for whoever speaks the second answer; the name of that server."""
    async with asyncio.timeout(30):
        while len(happened(caller.call, "response.created")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    name = caller._ticket.token.partition(".")[0]
    (server,) = (each for each in running.servers if each.name == name)
    await server.end(signal.SIGKILL)
    return name


@pytest.mark.timeout(180)
async def test_killed_in_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_KEY", "")
    script = CallScript(
        cues=(Cue(QUESTION, at=0.5), Cue(QUESTION), Cue(QUESTION)), settle=1.0, patience=10.0
    )
    async with fleet(SERVED_BY, 4, drain=1.0) as running:
        caller = Caller(running.url, script, key=os.environ["ANTIPHON_KEY"], resumes=True)
        async with caller:
            killing = asyncio.create_task(kill_in_answer(running, caller))
            began = time.monotonic()
            await caller.run()
            killed = await killing
        assert time.monotonic() - began < 120
    (gap,) = caller.gaps
    assert gap[1] - gap[0] < BACK_WITHIN and caller.refused == 0
    resumed = happened(caller.call, "session.created")[-1]["session"]["antiphon"]["resumed"]
    items = [event["item_id"] for event in happened(caller.call, "input_audio_buffer.committed")]
    assert not caller._ticket.token.startswith(killed)
    # What was over is known there. Of the running turn it is said what became of it: its answer was
    # cut, or it is to be answered, or it is not among the items, and then it was said again.
    assert items[0] in resumed["items"]
    if items[1] in resumed["items"]:
        assert resumed["cut"] in resumed["items"] or resumed["unanswered"] == items[1]
    else:
        assert len(items) == 4
    answers = happened(caller.call, "response.done")
    assert [each["response"]["status"] for each in answers].count("completed") >= 2
