"""`python -m benchmarks.rolling`: every server is replaced under calls; does anybody notice?

Three servers behind HAProxy share a Redis. Clients talk through it while the servers are replaced
one after the other, first by SIGTERM (a rolling restart), then by SIGKILL (they die). Counted are
answers that were cut, turns that were lost, calls that did not come back, and the gaps.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console

from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import MissingMaterial, spoken, voices
from benchmarks.percentiles import distribution
from benchmarks.restarts import FleetServer, NotInstalled, RestartedFleet, fleet
from benchmarks.scene import sentences
from server.call.caller import Caller
from server.call.conversation import CallFailed
from server.call.latency import MeasuredTurn, turns
from server.call.record import CallRecord, Happening
from server.call.script import CallScript, Cue

Gaps: TypeAlias = list[tuple[float, float]]  # seconds: lost, and back again

_BEFORE, _BETWEEN, _AFTER = 8.0, 6.0, 12.0  # seconds of talk round the replacements
_SEEN_UP = 2.0  # seconds in which the balancer has noticed a new server
_START_APART = 0.4  # seconds between two clients, so that they do not speak in chorus


@dataclass(slots=True)
class ClientResult:
    """How one client fared. Times are seconds of the monotonic clock."""

    number: int
    began: float
    ended: float
    gaps: Gaps
    turns: int = 0
    unanswered: int = 0
    cut_answers: int = 0
    lost_turns: int = 0
    refused: int = 0  # tries to come back for which there was no place
    known_items: int = 0
    failure: str = ""


def script(seconds: float, seed: int) -> CallScript:
    """Questions one after the other. Raises MissingMaterial."""
    speakers = voices()
    if not speakers:
        raise MissingMaterial("no synthesiser: install espeak-ng or flite")
    random = Random(seed)
    cues = tuple(
        Cue(spoken(random.choice(sentences("short")), random.choice(speakers)))
        for _ in range(round(seconds / 3))
    )
    return CallScript(cues, length=seconds, settle=0.5, patience=8.0)


async def one_client(
    url: str, number: int, script: CallScript, over: asyncio.Event
) -> ClientResult:
    """Talk until all servers were replaced."""
    await asyncio.sleep(number * _START_APART)
    caller = Caller(url, script, key=os.environ["ANTIPHON_KEY"], resumes=True)
    began = time.monotonic()
    result = ClientResult(number, began, began, [])
    try:
        async with caller:
            started = time.monotonic()
            talking = asyncio.create_task(caller.run())
            waiting = asyncio.create_task(over.wait())
            await asyncio.wait({talking, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not talking.done():
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
            else:
                talking.result()
            now = time.monotonic() - started
            result.gaps = [(started + a, started + b) for a, b in caller.gaps]
            result.refused = caller.refused
            account(result, caller.call.account(now), caller.gaps, now)
    except CallFailed as failure:
        result.failure = str(failure)
    result.ended = time.monotonic()
    return result


def account(result: ClientResult, record: CallRecord, gaps: Gaps, now: float) -> None:
    """Count turns and answers. A turn in the last seconds is not judged: nobody waits for it."""
    judged = [turn for turn in turns(record) if turn.first_voiced < now - _AFTER / 2]
    result.turns = len(judged)
    result.unanswered = sum(turn.response is None for turn in judged)
    result.lost_turns = lost_turns(judged, gaps)
    result.cut_answers = cut_answers(record.happenings)
    result.known_items = min(map(len, resumed_items(record.happenings)), default=0)


def lost_turns(asked: Sequence[MeasuredTurn], gaps: Gaps) -> int:
    """Turns that a gap fell into, or that waited for their answer when it began, and that were
    never answered."""
    lost = 0
    for _, back in gaps:
        begun = [turn for turn in asked if turn.first_voiced < back]
        lost += bool(begun) and begun[-1].response is None
    return lost


def cut_answers(happenings: tuple[Happening, ...]) -> int:
    """Answers that were running when a connection was lost."""
    running: set[str] = set()
    cut = 0
    for happening in happenings:
        event = happening.event
        if event["type"] == "response.created":
            running.add(event["response"]["id"])
        elif event["type"] == "response.done":
            running.discard(event["response"]["id"])
        elif event["type"] == "session.created":
            cut += len(running)
            running.clear()
    return cut


def resumed_items(happenings: tuple[Happening, ...]) -> list[list[str]]:
    """The items that came back at each resumption."""
    created = [h.event for h in happenings if h.event["type"] == "session.created"]
    found = [event["session"].get("antiphon", {}).get("resumed") for event in created]
    return [each["items"] for each in found if each]


async def replace_all(servers: list[FleetServer], sent: signal.Signals) -> None:
    """One after the other; the next one only when the balancer sends calls to the new one."""
    await asyncio.sleep(_BEFORE)
    for server in servers:
        await server.end(sent)
        await server.start()
        await asyncio.sleep(_SEEN_UP + _BETWEEN)
    await asyncio.sleep(_AFTER)


async def measure(
    running: RestartedFleet, clients: int, sent: signal.Signals, scripts: list[CallScript]
) -> tuple[list[ClientResult], dict[str, Any]]:
    over = asyncio.Event()
    jobs = [one_client(running.url, n, scripts[n], over) for n in range(clients)]
    talking = asyncio.gather(*jobs)
    await asyncio.sleep(clients * _START_APART)
    await replace_all(running.servers, sent)
    over.set()
    results = await talking
    return results, summary(results, sent)


def summary(results: list[ClientResult], sent: signal.Signals) -> dict[str, Any]:
    gaps = [back - lost for result in results for lost, back in result.gaps]
    return {
        "signal": sent.name,
        "clients": len(results),
        "calls_lost": sum(bool(result.failure) for result in results),
        "failures": sorted({result.failure for result in results if result.failure}),
        "comebacks": len(gaps),
        "gap_s": distribution(gaps) if gaps else None,
        "longest_gap_s": round(max(gaps, default=0.0), 3),
        "turns": sum(result.turns for result in results),
        "unanswered_turns": sum(result.unanswered for result in results),
        "lost_turns": sum(result.lost_turns for result in results),
        "cut_answers": sum(result.cut_answers for result in results),
        "fewest_items_known": min((r.known_items for r in results if r.gaps), default=None),
        "refused_tries": sum(result.refused for result in results),
    }


def plot(results: list[ClientResult], servers: list[FleetServer], path: Path, title: str) -> None:
    """A line for each client, broken where it was away; below, when each server was there."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    zero = min(result.began for result in results)
    end = max(result.ended for result in results)
    figure, axes = pyplot.subplots(figsize=(10, 0.32 * (len(results) + len(servers)) + 1.4))
    for result in results:
        row = len(servers) + result.number
        axes.broken_barh([(result.began - zero, result.ended - result.began)], (row, 0.7))
        away = [(lost - zero, max(back - lost, 0.15)) for lost, back in result.gaps]
        axes.broken_barh(away, (row, 0.7), color="tab:red")
    for row, server in enumerate(servers):
        there = [(max(a, zero) - zero, b - max(a, zero)) for a, b in server.up(end)]
        drains = [(a - zero, b - a) for a, b in server.drains if b > zero]
        axes.broken_barh(there, (row, 0.7), color="tab:green")
        axes.broken_barh(drains, (row, 0.7), color="tab:orange")
    names = [server.name for server in servers] + [f"client {r.number}" for r in results]
    axes.set_yticks([row + 0.35 for row in range(len(names))], names, fontsize=8)
    axes.set_xlabel("seconds")
    shades = (("green", "serves"), ("orange", "drains"), ("blue", "in a call"), ("red", "away"))
    patches = [Patch(color=f"tab:{shade}", label=label) for shade, label in shades]
    figure.legend(handles=patches, loc="lower left", fontsize=8, ncols=4)
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


async def run(
    clients: int, places: int, drain: float, module: str, out: Path, console: Console
) -> dict[str, Any]:
    seconds = 240.0
    scripts = [script(seconds, seed) for seed in range(clients)]
    report = header(clients=clients, places_a_server=places, drain_s=drain, module=module)
    async with fleet(module, places, drain) as running:
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for server in running.servers:
                server.spans.clear()
                server.drains.clear()
            results, figures = await measure(running, clients, sent, scripts)
            report[sent.name] = figures
            console.print(figures)
            title = f"{clients} calls, every server replaced by {sent.name}"
            plot(results, running.servers, out / f"rolling-{sent.name.lower()}.png", title)
    return report


def main(
    clients: Annotated[int, typer.Option(min=1)] = 12,
    places: Annotated[int, typer.Option(min=1, help="Of each server.")] = 8,
    drain: Annotated[float, typer.Option(help="Seconds in which calls end by themselves.")] = 1.0,
    module: Annotated[str, typer.Option(help="What serves: `python -m MODULE`.")] = "server serve",
    out: Annotated[Path, typer.Option(help="Where the JSON and the plots go.")] = RESULTS,
) -> None:
    """Replace three servers under calls, by SIGTERM and then by SIGKILL."""
    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    try:
        report = asyncio.run(run(clients, places, drain, module, out, console))
    except (NotInstalled, MissingMaterial) as lacks:
        console.print(str(lacks), style="red")
        raise typer.Exit(1) from None
    path = out / "rolling.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console.print(f"written: {path}")


if __name__ == "__main__":
    typer.run(main)
