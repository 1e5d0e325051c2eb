"""The measuring room: `python -m benchmarks.soak`: one long conversation; does anything grow?"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.driver import Line
from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import MissingMaterial, spoken, voices
from benchmarks.percentiles import distribution
from benchmarks.plots import plot_curve
from benchmarks.scene import sentences
from benchmarks.service import service
from server.call.caller import call
from server.call.conversation import Call
from server.call.latency import turns
from server.call.record import Record
from server.call.script import Cue, Manners, Script

_SECONDS_A_TURN = 4.0  # no conversation has shorter ones; so many cues are made ready
_INTERRUPTED = 4  # every so many questions one is interrupted
_SAMPLED = 10.0  # seconds between two looks at the server
_WATCHED = ("antiphon_stalled_turns_total", "antiphon_ill_instances_total", "antiphon_swaps_total")


@dataclass(slots=True)
class Watch:
    """Memory of the server's process, sampled while the conversation goes on."""

    process: int | None
    samples: list[tuple[float, float]] = field(default_factory=list)  # seconds, MiB
    _next: float = 0.0

    def look(self, _: Call, now: float) -> None:
        if self.process is not None and now >= self._next:
            self._next = now + _SAMPLED
            self.samples.append((now, resident(self.process)))


def resident(process: int) -> float:
    """Resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def script(seconds: float, seed: int = 0) -> Script:
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
    manners = Manners(explains=True)
    return Script(tuple(cues), limit=seconds, settle=0.5, patience=6.0, manners=manners)


def growth(points: Sequence[tuple[float, float]], settled: float = 0.1) -> dict[str, float] | None:
    """The straight line through points (seconds, value) after the first tenth; growth an hour."""
    if not points:
        return None
    first = points[0][0] + settled * (points[-1][0] - points[0][0])
    kept = [point for point in points if point[0] >= first]
    if len(kept) < 3:
        return None
    times, values = np.asarray(kept).T
    slope, _ = np.polyfit(times, values, 1)
    return {"per_hour": float(slope * 3600), "first": kept[0][1], "last": kept[-1][1]}


def report_of(record: Record, watch: Watch, metrics: dict[str, float]) -> dict[str, Any]:
    """What grew and what stalled."""
    found = [turn for turn in turns(record) if turn.last_voiced < record.seconds - 6.0]
    delays = [(turn.last_voiced, turn.response) for turn in found if turn.response is not None]
    return {
        "seconds": record.seconds,
        "turns": len(found),
        "unanswered_turns": [turn.name for turn in found if not turn.answered],
        "response": distribution([delay for _, delay in delays]),
        "delay_growth_s": growth(delays),
        "memory_growth_mib": growth(watch.samples),
        "metrics": metrics,
        "errors": record.errors,
        "underruns": record.underruns,
        "driver": {"late_frames": record.lateness.late, "worst_ms": record.lateness.worst * 1000},
        "memory_mib": watch.samples,
        "delays_s": delays,
    }


def read_metrics(line: Line) -> dict[str, float]:
    """The server's own counters of what must not happen; empty where it has none."""
    parts = urlsplit(line.url)
    scheme = "https" if parts.scheme == "wss" else "http"
    try:
        text = httpx.get(f"{scheme}://{parts.netloc}/metrics", timeout=5.0).text
    except httpx.HTTPError:
        return {}
    pairs = (entry.rsplit(" ", 1) for entry in text.splitlines() if entry.startswith(_WATCHED))
    return {name: float(value) for name, value in pairs}


async def converse(line: Line, seconds: float, progress: Progress) -> dict[str, Any]:
    """Hold one conversation of this length."""
    watch = Watch(line.process)
    task = progress.add_task("talking", total=seconds)

    def look(current: Call, now: float) -> None:
        watch.look(current, now)
        progress.update(task, completed=now)

    record = await call(line.url, script(seconds), key=line.key, model=line.model, progress=look)
    return report_of(record, watch, read_metrics(line))


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long to talk.")] = 30.0,
    url: Annotated[str | None, typer.Option(help="A running server; else one is started.")] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON and the plots go.")] = RESULTS,
) -> None:
    """Talk for a long time: memory must stay flat, the delay must not grow, no turn may stall."""
    console = Console()
    with service(url) as line, Progress(console=console) as progress:
        found = asyncio.run(converse(line, minutes * 60, progress))
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(header(minutes=minutes) | found, indent=1)
    (out / "soak.json").write_text(text, encoding="utf-8")
    for name, label in (("memory_mib", "memory, MiB"), ("delays_s", "response latency, s")):
        plot_curve(found[name], ("seconds", label), out / f"soak-{name.split('_')[0]}.png")
    shown = ("seconds", "turns", "unanswered_turns", "response", "delay_growth_s")
    for name in itertools.chain(shown, ("memory_growth_mib", "metrics", "errors", "driver")):
        console.print(f"{name}: {found[name]}", markup=False)


if __name__ == "__main__":
    typer.run(main)
