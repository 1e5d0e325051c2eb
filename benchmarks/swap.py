"""`python -m benchmarks.swap`: two barge-ins while the old generator is stuck.

The same calls are made to a server whose instances obey and to one whose instances ignore a
cancelled answer for five seconds; stop and response must not differ.
"""

from __future__ import annotations

import asyncio
import json
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
from benchmarks.percentiles import distribution, rate
from benchmarks.scene import sentences
from benchmarks.service import service
from server.call.caller import call
from server.call.latency import MeasuredTurn, turns
from server.call.script import CallScript, ClientBehaviour, Cue

_STUCK = 5.0  # seconds
_AFTER = 1.2  # seconds into an answer at which the next question comes


def script(random: Random) -> CallScript:
    """A question with a long answer, and two more over it and over the next."""
    speakers = voices()
    if not speakers:
        raise MissingMaterial("no synthesiser: install espeak-ng or flite")
    first, second, third = (
        spoken(text, random.choice(speakers)) for text in random.sample(sentences("long"), 3)
    )
    cues = (
        Cue(first, at=0.5),
        Cue(second, after_answer=_AFTER, label="first"),
        Cue(third, after_answer=_AFTER, label="second"),
    )
    return CallScript(cues, patience=6.0, limit=14.0, behaviour=ClientBehaviour(explains=True))


async def measure(line: CallerLine, trials: int, progress: Progress, title: str) -> dict[str, Any]:
    """Figures of one server, for each of the two barge-ins."""
    found: list[MeasuredTurn] = []
    task = progress.add_task(title, total=trials)
    for number in range(trials):
        await until_ready(line)
        record = await call(line.url, script(Random(number)), key=line.key, model=line.model)
        found += turns(record)
        progress.advance(task)
    return {name: figures([t for t in found if t.label == name]) for name in ("first", "second")}


async def until_ready(line: CallerLine) -> None:
    """Wait until the last call's stuck instances are back in rotation. Raises TimeoutError."""
    place = urlsplit(line.url).netloc
    async with asyncio.timeout(4 * _STUCK), httpx.AsyncClient() as client:
        while not (await client.get(f"http://{place}/readyz")).is_success:  # noqa: ASYNC110  a server tells only when asked
            await asyncio.sleep(0.1)


def figures(found: list[MeasuredTurn]) -> dict[str, Any]:
    """Of one barge-in over many calls."""
    over = [turn for turn in found if turn.over_answer]
    return {
        "trials": len(found),
        "over_an_answer": len(over),
        "answered": rate([turn.answered for turn in over]),
        "stop": distribution([turn.stop for turn in over if turn.stop is not None]),
        "response": distribution([t.interruption for t in over if t.interruption is not None]),
    }


def main(
    trials: Annotated[int, typer.Option(min=1, help="Calls to each server.")] = 20,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
) -> None:
    """Compare barge-ins on obedient and on stuck instances."""
    console, found = Console(), {}
    with Progress(console=console) as progress:
        for name, seconds in (("obedient", 0.0), ("stuck", _STUCK)):
            command = ("benchmarks.unresponsive_engine", "--seconds", str(seconds))
            with service(None, command=command) as line:
                found[name] = asyncio.run(measure(line, trials, progress, name))
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(header(stuck_seconds=_STUCK) | found, indent=1)
    (out / "swap.json").write_text(text, encoding="utf-8")
    for name, result in found.items():
        for which, values in result.items():
            stop, response = values["stop"]["p50_ms"], values["response"]["p50_ms"]
            console.print(f"{name}, {which} barge-in: stop {stop}, response {response} ms (p50)")


if __name__ == "__main__":
    typer.run(main)
