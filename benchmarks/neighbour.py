"""`python -m benchmarks.neighbour`: a well-behaved conversation beside each attack.

It asks typed questions without a pause and a spoken one every twenty seconds. Its latencies in
quiet and under each attack come from the same run on the same server.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.driver import CallerLine
from benchmarks.duplex import RESULTS
from benchmarks.fuzz import faults_in
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.neighbour import Neighbour, end
from benchmarks.machine import header
from benchmarks.memory import resident
from benchmarks.plots import plot_latencies
from benchmarks.service import service
from server.call.caller import call
from server.call.conversation import CallFailed
from server.call.latency import turns
from server.call.script import CallScript, Cue
from server.call.timeline import load_clip

_CLIP = Path("tests/data/audio/question_en_capital.flac")
_SPOKEN_EVERY = 20.0
_LAG_EVERY = 0.1
_REST = 2.0  # seconds between two attacks
_MOST_LATENCY = 1.5  # p95 under attack over that in quiet
_MOST_MEMORY = 300.0  # MiB over quiet
_BACK = 60.0  # seconds until the memory must be back
_SLACK = 50.0  # MiB that an allocator may keep


@dataclass(slots=True)
class Period:
    """What was measured while something went on; latencies and lags in seconds, memory in MiB."""

    name: str
    typed: list[float] = field(default_factory=list)
    spoken: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Observer:
    """Measures one server; what it finds goes into the `period` that is set."""

    def __init__(self, line: CallerLine) -> None:
        self.line, self.period = line, Period("before")
        self._neighbour = Neighbour(line, period=0.2)
        self._health = f"http://{urlsplit(line.url).netloc}/healthz"

    async def during(self, name: str, seconds: Coroutine[Any, Any, None]) -> Period:
        """What is measured while this goes on."""
        self.period = period = Period(name)
        typed, faults = len(self._neighbour.latencies), len(self._neighbour.faults)
        await seconds
        period.typed = [latency for _, latency in self._neighbour.latencies[typed:]]
        period.faults += self._neighbour.faults[faults:]
        return period

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._neighbour.run, self._speak, self._watch):
                group.create_task(work())

    async def _speak(self) -> None:
        script = CallScript((Cue(load_clip(_CLIP)),))
        while True:
            began = time.monotonic()
            try:
                record = await call(self.line.url, script, key=self.line.key)
                (turn,) = turns(record)
                if turn.response is None:
                    self.period.faults.append("a spoken question was not answered")
                else:
                    self.period.spoken.append(turn.response)
            except CallFailed as failure:
                self.period.faults.append(f"a call failed: {failure}")
            await asyncio.sleep(max(0.0, _SPOKEN_EVERY - (time.monotonic() - began)))

    async def _watch(self) -> None:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            while True:
                began = time.monotonic()
                await client.get(self._health)
                self.period.lags.append(time.monotonic() - began)
                if self.line.process and (found := resident(self.line.process)):
                    self.period.memory.append(found)
                await asyncio.sleep(_LAG_EVERY)


async def measure(
    line: CallerLine, attacks: Sequence[str], quiet: float, each: float, back: float
) -> list[Period]:
    """Quiet for so many seconds, then each attack, then quiet again until the memory is back."""
    observer = Observer(line)
    running = asyncio.create_task(observer.run())
    try:
        periods = [await observer.during("quiet", asyncio.sleep(quiet))]
        for name in attacks:
            if running.done():
                break
            periods.append(await observer.during(name, attack_from_outside(name, line, each)))
            await observer.during("rest", asyncio.sleep(_REST))
        periods.append(await observer.during("afterwards", asyncio.sleep(back)))
    finally:
        await end(running)
    return periods


async def attack_from_outside(name: str, line: CallerLine, seconds: float) -> None:
    """Run an attack in a process of its own, whose work is not the neighbour's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.hostile", name, line.url, str(seconds))
    )
    await process.wait()


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so large a share does not exceed; nan without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def judged(periods: list[Period]) -> list[str]:
    """The goals that were missed."""
    quiet, last = periods[0], periods[-1]
    missed: list[str] = [f"{one.name}: {fault}" for one in periods for fault in one.faults]
    before = median(quiet.memory) if quiet.memory else math.nan
    for period in periods[1:-1]:
        share = percentile(period.typed, 0.95) / percentile(quiet.typed, 0.95)
        if share > _MOST_LATENCY:
            missed.append(f"{period.name}: the latency's p95 is {share:.1f} times that in quiet")
        if period.memory and max(period.memory) - before > _MOST_MEMORY:
            missed.append(f"{period.name}: {max(period.memory) - before:.0f} MiB over quiet")
    if last.memory and last.memory[-1] - before > _SLACK:
        missed.append(f"{last.memory[-1] - before:.0f} MiB were not given back")
    return missed


def command(
    short: Annotated[bool, typer.Option("--short", help="A few seconds of each attack.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Attacks by name.")] = None,
    url: Annotated[str | None, typer.Option(help="A server that runs already.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
) -> None:
    """Exit 1 where an answer failed or the log has a traceback; missed goals are shown."""
    attacks = list(only or ATTACKS)
    quiet, each, back = (15.0, 6.0, 10.0) if short else (60.0, 20.0, _BACK)
    console = Console(width=150)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with service(url, log=log) as line:
            periods = asyncio.run(measure(line, attacks, quiet, each, back))
        faults = list(faults_in(log.read_text(errors="replace"))) if url is None else []
    show(console, periods)
    missed = judged(periods)
    for fault in (*faults, *missed):
        console.print(fault, style="red", markup=False)
    if not short or out is not None:
        write(out or RESULTS / "neighbour.json", periods, missed)
    is_broken = bool(faults) or any(period.faults for period in periods)
    raise typer.Exit(1 if is_broken else 0)


def show(console: Console, periods: list[Period]) -> None:
    """Print one line for each period."""
    table = Table("beside", "answers", "p50 ms", "p95 ms", "spoken ms", "lag ms", "MiB", "faults")
    for period in periods:
        table.add_row(
            period.name,
            str(len(period.typed)),
            f"{1000 * percentile(period.typed, 0.5):.0f}",
            f"{1000 * percentile(period.typed, 0.95):.0f}",
            ", ".join(f"{1000 * each:.0f}" for each in period.spoken),
            f"{1000 * max(period.lags, default=math.nan):.0f}",
            f"{max(period.memory, default=math.nan):.0f}",
            str(len(period.faults)),
        )
    console.print(table)


def write(path: Path, periods: list[Period], missed: list[str]) -> None:
    """The report and its picture."""
    report = header() | {"missed": missed, "periods": [asdict(period) for period in periods]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    columns = {period.name: period.typed for period in periods if period.typed}
    plot_latencies(columns, path.with_suffix(".png"), "typed answers of a neighbour")


if __name__ == "__main__":
    typer.run(command)
