"""`python -m benchmarks.fuzz`: nearly right events and odd frames; does the server, or a neighbour,
mind?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.driver import CallerLine
from benchmarks.hostile.frames import form
from benchmarks.hostile.mutations import mutant
from benchmarks.hostile.neighbour import Neighbour, end
from benchmarks.hostile.raw import RawClient
from benchmarks.service import service

_A_SESSION = 100  # events of one session
_AT_ONCE, _SEATS = 3, 8  # sessions that are fuzzed at a time; seats of a server of our own
_A_FORM = 0.02  # share of frames that are no events
_CLOSING = 10.0  # seconds for a close that is due
_BROKEN = 1011


@dataclass(slots=True)
class Findings:
    """`faults`: what must not be. `seen`: events that came back, errors by their codes."""

    forms: int = 0
    sessions: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    closes: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    sent_by: Counter[int] = field(default_factory=Counter)  # by the sender's number

    @property
    def sent(self) -> int:
        return self.sent_by.total()


async def fuzz(line: CallerLine, events: int, seed: int) -> tuple[Findings, Neighbour]:
    """Send so many mutants in sessions, some at a time, beside a neighbour. What each of them draws
    depends on the seed alone."""
    found, neighbour = Findings(), Neighbour(line)
    beside = asyncio.create_task(neighbour.run())

    async def senders_turn(number: int) -> None:
        random, left = Random(f"{seed} {number}"), -(-events // _AT_ONCE)
        left = min(left, events - number * left)
        while left > 0 and not beside.done():
            before = found.sent_by[number]
            await _session(line, random, min(_A_SESSION, left), found, number)
            left -= found.sent_by[number] - before

    await asyncio.gather(*(senders_turn(number) for number in range(_AT_ONCE)))
    await asyncio.sleep(2 * neighbour.period)
    await end(beside)
    return found, neighbour


async def _session(
    line: CallerLine, random: Random, count: int, found: Findings, sender: int
) -> None:
    client, since = await RawClient.connect(line), found.sent_by[sender]
    found.sessions += 1

    def where() -> str:
        return f"sender {sender}, events {since} to {found.sent_by[sender]}"

    try:
        for _ in range(count):
            found.sent_by[sender] += 1
            if random.random() < _A_FORM:
                if not await _try_form(client, random, found):
                    return
            else:
                message = mutant(random)
                await client.send(message)
                if isinstance(message, bytes) and message and not _is_text(message):
                    await _expect_close(client, frozenset({1007}), "no UTF-8", found)
                    return
        if not await client.is_alive():
            found.faults.append(f"{where()}: dead, closed {client.closed}")
    except ConnectionError:
        found.faults.append(f"{where()}: closed with {client.closed}")
    finally:
        found.seen.update(client.seen)
        found.closes[client.closed or 0] += 1
        if client.closed == _BROKEN:
            found.faults.append(f"{where()}: closed with {_BROKEN}")
        await client.close()


async def _try_form(client: RawClient, random: Random, found: Findings) -> bool:
    """Send one frame form; False where the connection ends by it."""
    found.forms += 1
    odd = form(random)
    await client.send_raw(odd.data)
    if odd.closes:
        await _expect_close(client, odd.closes, odd.name, found)
        return False
    return True


async def _expect_close(
    client: RawClient, codes: frozenset[int], name: str, found: Findings
) -> None:
    await client.until_closed(_CLOSING)
    if client.closed not in codes:
        found.faults.append(f"{name}: closed with {client.closed}, not {sorted(codes)}")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def faults_in(log: str) -> Iterator[str]:
    """What a server's log must not hold."""
    traces = log.count("Traceback (most recent call last)")
    if traces:
        at = log.index("Traceback (most recent call last)")
        yield f"{traces} tracebacks in the log, the first: {log[at : at + 3000]}"


def command(
    events: Annotated[int, typer.Option(help="How many events.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Of the events that are drawn.")] = 1,
    url: Annotated[str | None, typer.Option(help="A server that runs already.")] = None,
) -> None:
    """Exit 1 where a session died, the log has a traceback, or the neighbour was not answered."""
    console = Console(width=140)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with service(url, "--sessions-per-pair", str(_SEATS), log=log) as line:
            found, neighbour = asyncio.run(fuzz(line, events, seed))
        if url is None:
            found.faults += faults_in(log.read_text(errors="replace"))
    found.faults += [f"the neighbour: {fault}" for fault in neighbour.faults]
    if not neighbour.latencies:
        found.faults.append("the neighbour was never answered")
    _show(console, found, neighbour, time.monotonic() - began)
    raise typer.Exit(1 if found.faults else 0)


def _show(console: Console, found: Findings, neighbour: Neighbour, seconds: float) -> None:
    table = Table("what came back", "times")
    for name, count in found.seen.most_common(25):
        table.add_row(name, f"{count:,}")
    console.print(table)
    console.print(
        f"{found.sent:,} events ({found.forms:,} of them frame forms) in {found.sessions:,} "
        f"sessions and {seconds:.0f} s; the neighbour was answered {len(neighbour.latencies):,} "
        f"times, after {neighbour.longest():.2f} s at the longest"
    )
    for fault in found.faults:
        console.print(fault, style="red", markup=False)


if __name__ == "__main__":
    typer.run(command)
