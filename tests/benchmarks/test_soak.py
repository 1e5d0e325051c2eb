"""A long conversation: nothing that was measured is lost when its line breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import soak
from benchmarks.driver import CallerLine
from benchmarks.memory import MemorySampler, resident
from benchmarks.soak import Soak, plot, writer
from benchmarks.soak_log import SoakLog
from benchmarks.trend import growth
from server.call.conversation import CallMachine
from server.call.script import CallScript, Cue
from server.call.timeline import RATE, TimelineClip
from tests.benchmarks.calls import beep
from tests.server.test_call_caller import Answering

BREAKS_AFTER = 100  # appends


def question(name: str) -> Cue:
    return Cue(TimelineClip.of(name, np.concatenate((beep(0.4), np.zeros(RATE // 10, np.float32)))))


def questions(seconds: float, seed: int) -> CallScript:
    cues = tuple(question(f"{seed}.{number}") for number in range(20))
    return CallScript(cues, limit=seconds, settle=0.1, patience=1.0)


# ------------------------------------------------------------------------------------- figures


def test_growth_is_a_slope_after_settling() -> None:
    steady = growth([(float(t), 100.0 if t else 50.0) for t in range(0, 1800, 10)])
    assert steady is not None
    assert steady["per_hour"] == pytest.approx(0.0, abs=1e-6)
    leak = growth([(float(t), 100 + t / 60) for t in range(0, 1800, 10)])
    assert leak is not None
    assert leak["per_hour"] == pytest.approx(60.0)
    assert leak["interval"] == pytest.approx([60.0, 60.0])
    assert growth([]) is None
    assert growth([(0.0, 1.0), (1.0, 1.0)]) is None


def test_the_interval_of_a_slope_knows_noise() -> None:
    random = Random(1)
    noisy = growth([(float(t), t / 360 + random.gauss(0, 0.5)) for t in range(0, 1800, 10)])
    assert noisy is not None
    low, high = noisy["interval"]
    assert low < 10.0 < high
    assert high - low < 4.0
    few = growth([(float(t), float(t)) for t in range(10)])
    assert few is not None
    assert few["interval"] is None


def test_memory_is_that_of_a_process_and_its_children() -> None:
    own = resident(os.getpid())
    assert own is not None
    assert 10 < own < 10_000
    hold = "block = b'1' * (64 << 20); print(len(block), flush=True); input()"
    command = [sys.executable, "-c", hold]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        both = resident(os.getpid())
        child.stdin.close()
        child.wait()
    assert both is not None
    assert both > own + 60
    assert resident(child.pid) is None


# --------------------------------------------------------------------------------- the ledger


def test_turns_are_counted_once_and_only_when_they_had_their_time() -> None:
    ledger = SoakLog()
    call = CallMachine(CallScript((question("a"), question("b")), settle=0.1, patience=1.0))
    ledger.begin(call, 100.0)
    for step in range(1, 201):
        call.tick(step * 0.02)
        if step % 50 == 0:
            ledger.settle(100 + step * 0.02)
    assert [turn.name for turn in ledger.turns] == ["a", "b"]
    assert ledger.turns[0].last_voiced == pytest.approx(100.42, abs=0.05)
    report = ledger.report(104.0, [(0.0, 1.0)])
    assert report["unanswered_turns"] == ["a", "b"]
    assert report["response"]["count"] == 0


# ------------------------------------------------------------------------------ broken lines


@asynccontextmanager
async def breaking(breaks: int) -> AsyncIterator[str]:
    """A server that hangs up on its first so many calls, in the middle of a conversation."""
    left = [breaks]

    async def handle(socket: ServerConnection) -> None:
        answering, hear = Answering(socket), 0
        first, left[0] = left[0] > 0, left[0] - 1
        whole = answering._hear

        async def counted(samples: Any) -> None:
            nonlocal hear
            hear += 1
            if first and hear == BREAKS_AFTER:
                await socket.close(1011, "keepalive ping timeout")
            else:
                await whole(samples)

        answering._hear = counted  # type: ignore[method-assign]
        await answering.serve()

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime"


async def test_a_broken_line_costs_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "_SAMPLED", 0.2)
    monkeypatch.setattr(soak, "_KEPT", 0.5)
    stalled = count(7.0)  # of earlier conversations
    monkeypatch.setattr(soak, "read_metrics", lambda _: {soak._STALLED: next(stalled)})
    path, kept = tmp_path / "soak.json", []
    async with breaking(1) as url:
        line = CallerLine(url, process=os.getpid())
        write = writer(line, 6.0, path)

        def counted(now: float, ledger: SoakLog, memory: MemorySampler) -> dict[str, Any]:
            report = write(now, ledger, memory)
            kept.append(json.loads(path.read_text(encoding="utf-8")))
            return report

        report = await Soak(line, 6.0, counted, talk=questions).run()
    assert report["calls"] == 2
    assert [one["reason"] for one in report["breaks"]] == [
        "the server hung up: received 1011 (internal error) keepalive ping timeout; "
        "then sent 1011 (internal error) keepalive ping timeout"
    ]
    assert report["complete"]
    assert report["seconds"] == pytest.approx(6.0, abs=2.0)
    assert report["memory_mib"][0][0] == 0.0
    assert len(report["memory_mib"]) > 5
    begun = [at for at, _ in report["delays_s"]]
    broken = report["breaks"][0]["at"]
    assert begun[0] < broken < begun[-1]  # of the call that broke, and of the next one
    assert len(begun) == report["response"]["count"] <= report["turns"]
    assert kept[0]["seconds"] < report["seconds"]
    assert not kept[0]["complete"]
    assert kept[0]["stalled_turns"] == 1.0


def test_the_plots_stand_beside_the_report(tmp_path: Path) -> None:
    plot({"memory_mib": [(0.0, 1.0)], "delays_s": []}, tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {"soak-memory.png", "soak-delays.png"}


async def test_no_server_ends_in_a_report_too(tmp_path: Path) -> None:
    line = CallerLine("ws://127.0.0.1:9/v1/realtime")
    report = await Soak(line, 3.0, writer(line, 3.0, tmp_path / "soak.json"), talk=questions).run()
    assert report["calls"] == report["turns"] == 0
    assert "no server" in report["breaks"][0]["reason"]
    assert not report["complete"]
    assert report["stalled_turns"] is None
