"""`python -m benchmarks.neighbour`: a well-behaved conversation beside each attack.

It asks typed questions without a pause and a spoken one every few seconds. Its latencies in quiet
and under each attack come from the same run on the same server.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console

from benchmarks.driver import CallerLine
from benchmarks.duplex import RESULTS
from benchmarks.fuzz import faults_in
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.neighbour import Neighbour, end
from benchmarks.machine import header
from benchmarks.markdown import setting
from benchmarks.memory import own_memory
from benchmarks.plots import plot_attacks
from benchmarks.service import service
from server.call.caller import call
from server.call.conversation import CallFailed
from server.call.latency import turns
from server.call.script import CallScript, Cue
from server.call.timeline import load_clip

_CLIP = Path("tests/data/audio/question_en_capital.flac")
_SPOKEN_EVERY = 4.0  # seconds from one spoken question to the next
_LAG_EVERY = 0.1
_MEMORY_EVERY = 0.25
_REST = 2.0  # seconds between two attacks, at least
_MOST_LATENCY = 1.5  # p95 under attack over that in quiet
_MOST_MEMORY = 300.0  # MiB over quiet
_BACK = 60.0  # seconds until the memory must be back
_SLACK = 50.0  # MiB that an allocator may keep


@dataclass(slots=True)
class Period:
    """What was measured while something went on; latencies and lags in seconds, memory in MiB.
    `after`: the memory when it was back, or when `back` seconds were over."""

    name: str
    typed: list[float] = field(default_factory=list)
    spoken: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    after: float = math.nan
    back: float = 0.0

    @property
    def peak(self) -> float:
        return max(self.memory, default=math.nan)


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

    async def rest(self, period: Period, quiet: float, patience: float) -> None:
        """Wait until what a period took is given back, so many seconds at most."""
        began = time.monotonic()
        self.period = resting = Period("rest")
        while period.back < patience:
            await asyncio.sleep(_MEMORY_EVERY)
            period.back = time.monotonic() - began
            period.after = resting.memory[-1] if resting.memory else math.nan
            if period.back > _REST and not period.after > quiet + _SLACK:
                break
        period.faults += resting.faults

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._neighbour.run, self._speak, self._watch_loop, self._watch_memory):
                group.create_task(work())

    async def _speak(self) -> None:
        """A spoken question and its answer, again and again; it belongs to when it was asked."""
        script = CallScript((Cue(load_clip(_CLIP)),))
        while True:
            began, period = time.monotonic(), self.period
            try:
                record = await call(self.line.url, script, key=self.line.key)
                (turn,) = turns(record)
                if turn.response is None:
                    period.faults.append("a spoken question was not answered")
                else:
                    period.spoken.append(turn.response)
            except CallFailed as failure:
                period.faults.append(f"a call failed: {failure}")
            await asyncio.sleep(max(0.0, _SPOKEN_EVERY - (time.monotonic() - began)))

    async def _watch_loop(self) -> None:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            while True:
                began = time.monotonic()
                try:
                    await client.get(self._health)
                except httpx.HTTPError as error:
                    self.period.faults.append(f"/healthz: {type(error).__name__}")
                self.period.lags.append(time.monotonic() - began)
                await asyncio.sleep(_LAG_EVERY)

    async def _watch_memory(self) -> None:
        while self.line.process is not None:
            self.period.memory.append(own_memory(self.line.process))
            await asyncio.sleep(_MEMORY_EVERY)


async def measure(
    line: CallerLine, attacks: Sequence[str], quiet: float, each: float, back: float
) -> list[Period]:
    """Quiet for so many seconds, then each attack and a rest until its memory is back."""
    observer = Observer(line)
    running = asyncio.create_task(observer.run())
    try:
        await asyncio.sleep(_REST)  # what is done once is done
        first = await observer.during("quiet", asyncio.sleep(quiet))
        before, periods = median(first.memory or [math.nan]), [first]
        for name in attacks:
            if running.done():
                break
            held = observer.period.memory[-1] if observer.period.memory else math.nan
            period = await observer.during(name, attack_from_outside(name, line, each))
            await observer.rest(period, max(before, held), back)
            periods.append(period)
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
    quiet = periods[0]
    missed = [f"{one.name}: {fault}" for one in periods for fault in one.faults]
    before = median(quiet.memory) if quiet.memory else math.nan
    for period in periods[1:]:
        for kind in ("typed", "spoken"):
            share = _share(period, quiet, kind)
            if share > _MOST_LATENCY:
                missed.append(f"{period.name}: p95 of {kind} answers is {share:.1f} times quiet")
        if period.peak - before > _MOST_MEMORY:
            missed.append(f"{period.name}: {period.peak - before:.0f} MiB over quiet")
        if period.after - before > _SLACK:
            missed.append(f"{period.name}: {period.after - before:.0f} MiB were not given back")
    return missed


def _share(period: Period, quiet: Period, kind: str) -> float:
    """The p95 of a period over that in quiet; nan where one is missing."""
    return percentile(getattr(period, kind), 0.95) / percentile(getattr(quiet, kind), 0.95)


def command(
    short: Annotated[bool, typer.Option("--short", help="A few seconds of each attack.")] = False,
    attacks: Annotated[str, typer.Option(help="Names, with commas between; all by default.")] = "",
    quiet: Annotated[float, typer.Option(help="Seconds of quiet before.")] = 60.0,
    seconds: Annotated[float, typer.Option(help="Of each attack.")] = 15.0,
    url: Annotated[str | None, typer.Option(help="A server that runs already.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
) -> None:
    """Exit 1 where an answer failed or the log has a traceback; missed goals are shown."""
    names = [name.strip() for name in attacks.split(",") if name.strip()] or list(ATTACKS)
    if unknown := [name for name in names if name not in ATTACKS]:
        raise typer.BadParameter(f"no such attack: {unknown[0]}; there are {', '.join(ATTACKS)}")
    if short:
        quiet, seconds = min(quiet, 15.0), min(seconds, 6.0)
    console = Console(width=150)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with service(url, log=log) as line:
            periods = asyncio.run(measure(line, names, quiet, seconds, _BACK))
        faults = list(faults_in(log.read_text(errors="replace"))) if url is None else []
    console.print(*table(periods), sep="\n", markup=False)
    missed = judged(periods)
    for fault in (*faults, *missed):
        console.print(fault, style="red", markup=False)
    if not short or out is not None:
        write(out or RESULTS / "neighbour.json", periods, missed)
    is_broken = bool(faults) or any(period.faults for period in periods)
    raise typer.Exit(1 if is_broken else 0)


def table(periods: list[Period]) -> list[str]:
    """A line for each period, in Markdown."""
    quiet = periods[0]
    before = median(quiet.memory) if quiet.memory else math.nan
    rows = [
        "| beside | typed p50 / p95 ms | n | of quiet | spoken p50 / p95 ms | n | of quiet "
        "| loop lag p95 / worst ms | MiB over quiet: peak, after | faults |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in periods:
        cells = [one.name]
        for kind in ("typed", "spoken"):
            values = getattr(one, kind)
            cells += [_both(values), str(len(values)), f"{_share(one, quiet, kind):.1f}"]
        cells.append(f"{_ms(percentile(one.lags, 0.95))} / {_ms(max(one.lags, default=math.nan))}")
        cells += [f"{one.peak - before:.0f}, {one.after - before:.0f}", str(len(one.faults))]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _both(values: list[float]) -> str:
    return f"{_ms(percentile(values, 0.5))} / {_ms(percentile(values, 0.95))}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}"


def write(path: Path, periods: list[Period], missed: list[str]) -> None:
    """The report, its page and its picture."""
    top = header()
    report = top | {"missed": missed, "periods": [asdict(period) for period in periods]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(page(top, periods, missed, path), encoding="utf-8")
    before = median(periods[0].memory) if periods[0].memory else math.nan
    rows = {
        one.name: (1000 * percentile(one.typed, 0.95), one.peak - before) for one in periods[1:]
    }
    quiet = 1000 * percentile(periods[0].typed, 0.95)
    plot_attacks(rows, (_MOST_LATENCY * quiet, _MOST_MEMORY), path.with_suffix(".png"))


def page(top: Mapping[str, Any], periods: list[Period], missed: list[str], path: Path) -> str:
    """All figures in Markdown."""
    about = (
        "A well-behaved conversation beside each attack: typed questions without a pause, and a "
        f"spoken one every {_SPOKEN_EVERY:.0f} s at least. Quiet and attack are of the same run "
        "on the same server; attacks run in a process of their own on the same machine. Goals: "
        f"p95 at most {_MOST_LATENCY} times quiet, at most {_MOST_MEMORY:.0f} MiB over quiet, "
        f"back within {_BACK:.0f} s."
    )
    goals = [f"- {each}" for each in missed] or ["None."]
    lines = ["# A neighbour under attack", "", about, "", setting(top), ""]
    lines += [*table(periods), "", "## Goals missed", "", *goals, ""]
    return "\n".join([*lines, f"![p95 and memory beside each attack]({path.stem}.png)", ""])


if __name__ == "__main__":
    typer.run(command)
