"""`python -m benchmarks.soak`: one long conversation; does anything grow?"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.driver import CallerLine
from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import MissingMaterial, spoken, voices
from benchmarks.memory import MemorySampler
from benchmarks.plots import plot_curve
from benchmarks.scene import sentences
from benchmarks.service import service
from benchmarks.soak_log import SoakLog
from server.call.caller import Caller
from server.call.conversation import CallFailed, CallMachine
from server.call.script import CallScript, ClientBehaviour, Cue

_SECONDS_A_TURN = 4.0  # no conversation has shorter ones; so many cues are made ready
_INTERRUPTED = 4  # every so many questions one is interrupted
_SAMPLED = 10.0  # seconds between two looks at the server
_KEPT = 30.0  # seconds between two writings of the report
_WORTH = 2.0  # seconds that a further call must be able to last
_STALLED = "antiphon_stalled_turns_total"
_WATCHED = (_STALLED, "antiphon_unhealthy_instances_total", "antiphon_swaps_total")

Writer = Callable[[float, SoakLog, MemorySampler], dict[str, Any]]
Talk = Callable[[float, int], CallScript]  # seconds, which call it is


def talk(seconds: float, seed: int = 0) -> CallScript:
    """Questions without end, some of them interrupted. Raises MissingMaterial."""
    speakers = voices()
    if not speakers:
        raise MissingMaterial("no synthesiser: install espeak-ng or flite")
    random = Random(seed)
    short, more = sentences("short"), sentences("interruptions")
    cues: list[Cue] = []
    for number in range(round(seconds / _SECONDS_A_TURN)):
        cues.append(Cue(spoken(random.choice(short), random.choice(speakers))))
        if number % _INTERRUPTED == _INTERRUPTED - 1:
            clip = spoken(random.choice(more), random.choice(speakers))
            cues.append(Cue(clip, after_answer=0.8, label="interruption"))
    behaviour = ClientBehaviour(explains=True)
    return CallScript(tuple(cues), limit=seconds, settle=0.5, patience=6.0, behaviour=behaviour)


@dataclass(slots=True)
class Soak:
    """A conversation of so many seconds that survives a broken line: what is known is kept, and a
    new call is made in the time that is left. `write` gets the figures as they stand."""

    line: CallerLine
    seconds: float
    write: Writer
    progress: Callable[[float], None] = lambda _: None
    talk: Talk = talk
    ledger: SoakLog = field(default_factory=SoakLog)
    _began: float = 0.0

    async def run(self) -> dict[str, Any]:
        """Talk to the end, whatever breaks; the last report."""
        memory = MemorySampler(self.line.process)
        script = self.talk(self.seconds, 0)
        self._began = time.monotonic()
        memory.sample(0.0)
        try:
            async with _meanwhile(self._sample(memory), self._keep(memory)):
                while script.limit > _WORTH and not await self._call(script):
                    await self._until_ready()
                    script = self.talk(self.seconds - self._now, len(self.ledger.breaks))
        finally:
            self.ledger.settle(self._now)
            memory.sample(self._now)
            report = self.write(self._now, self.ledger, memory)
        return report

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    async def _call(self, script: CallScript) -> bool:
        """Make one call; whether it lasted as long as it should."""
        try:
            line = self.line
            async with Caller(line.url, script, key=line.key, model=line.model) as caller:
                began = self._now
                self.ledger.begin(caller.call, began)

                def look(_: CallMachine, now: float) -> None:
                    self.progress(began + now)

                await caller.run(look)
        except CallFailed as failure:
            self.ledger.break_off(self._now, str(failure))
            return False
        return True

    async def _until_ready(self) -> None:
        """Wait until the server takes calls again, or no time is left for one."""
        async with httpx.AsyncClient(timeout=1.0) as client:
            while self._now + _WORTH < self.seconds:
                await asyncio.sleep(1.0)
                try:
                    answer = await client.get(beside(self.line, "readyz?full=1"))
                except httpx.TransportError:
                    continue
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return

    async def _sample(self, memory: MemorySampler) -> None:
        while True:
            await asyncio.sleep(_SAMPLED)
            memory.sample(self._now)

    async def _keep(self, memory: MemorySampler) -> None:
        """Write what is known, beside the conversation, whose frames must leave in time."""
        while True:
            await asyncio.sleep(_KEPT)
            self.ledger.settle(self._now)
            await asyncio.to_thread(self.write, self._now, self.ledger, memory)


@asynccontextmanager
async def _meanwhile(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do these endless works for as long as the body runs."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def beside(line: CallerLine, path: str) -> str:
    """The address of another page of the same server."""
    parts = urlsplit(line.url)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}/{path}"


def read_metrics(line: CallerLine) -> dict[str, float]:
    """The server's own counters of what must not happen; empty where it has none."""
    try:
        text = httpx.get(beside(line, "metrics"), timeout=5.0).text
    except httpx.HTTPError:
        return {}
    pairs = (entry.rsplit(" ", 1) for entry in text.splitlines() if entry.startswith(_WATCHED))
    return {name: float(value) for name, value in pairs}


def writer(line: CallerLine, seconds: float, path: Path) -> Writer:
    """Writes reports to `path`, each in place of the one before and never half."""
    top = header(minutes=seconds / 60)
    before = read_metrics(line)

    def write(now: float, ledger: SoakLog, memory: MemorySampler) -> dict[str, Any]:
        counters = read_metrics(line)
        metrics = {name: value - before.get(name, 0.0) for name, value in counters.items()}
        report = top | {"complete": now >= seconds} | ledger.report(now, memory.samples)
        report |= {"metrics": metrics, "stalled_turns": metrics.get(_STALLED)}
        whole = path.with_suffix(".part")
        whole.write_text(json.dumps(report, indent=1), encoding="utf-8")
        whole.replace(path)
        return report

    return write


def plot(report: dict[str, Any], folder: Path) -> None:
    """Memory and delays over the time."""
    for name, label in (("memory_mib", "memory, MiB"), ("delays_s", "response latency, s")):
        plot_curve(report[name], ("seconds", label), folder / f"soak-{name.split('_')[0]}.png")


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long to talk.")] = 30.0,
    url: Annotated[str | None, typer.Option(help="A running server; else one is started.")] = None,
    process: Annotated[
        int | None, typer.Option(help="With --url: the server's process, to watch its memory.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON and the plots go.")] = RESULTS,
) -> None:
    """Talk for a long time: memory must stay flat, the delay must not grow, no turn may stall.

    The report is written all the while; a call that breaks is counted, and another one made.
    """
    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    path, seconds = out / "soak.json", minutes * 60
    with service(url) as line, Progress(console=console) as progress:
        line = replace(line, process=process or line.process)
        task = progress.add_task("talking", total=seconds)
        soak = Soak(
            line,
            seconds,
            writer(line, seconds, path),
            lambda now: progress.update(task, completed=now),
        )
        try:
            asyncio.run(soak.run())
        except KeyboardInterrupt:
            console.print("stopped before its time")
    report = json.loads(path.read_text(encoding="utf-8"))
    plot(report, out)
    shown = ("seconds", "calls", "breaks", "turns", "stalled_turns", "unanswered_turns", "response")
    rest = ("delay_growth_s", "memory_growth_mib", "metrics", "errors", "driver")
    for name in itertools.chain(shown, rest):
        console.print(f"{name}: {report[name]}", markup=False)


if __name__ == "__main__":
    typer.run(main)
