"""`python -m benchmarks.talkers`: four talking clients that hang up at random, beside an attacker.

Each talker makes one call after the other: questions from recordings, a third of them put over an
answer, and a hang-up in the middle of anything. The attacker changes its attack every 20 s. No turn
may stay without an answer, none may stall, and what the server holds must be the same at the end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from benchmarks.driver import CallerLine
from benchmarks.duplex import RESULTS
from benchmarks.fuzz import faults_in
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.neighbour import end
from benchmarks.machine import header
from benchmarks.memory import own_memory
from benchmarks.neighbour import attack_from_outside
from benchmarks.percentiles import distribution
from benchmarks.service import service
from benchmarks.soak import beside, read_metrics
from server.call.caller import Caller
from server.call.conversation import CallFailed, ServerBusy
from server.call.latency import MeasuredTurn, turns
from server.call.script import CallScript, ClientBehaviour, Cue
from server.call.timeline import load_clip

_CLIPS = ("question_en_capital", "question_en_colour", "question_en_sum")
_FOLDER = Path("tests/data/audio")
_TALKERS, _SEATS = 4, 8  # the attacker takes seats as well
_AN_ATTACK = 20.0  # seconds
_WARMING = ("many small pictures", "largest items")  # decoded in threads of their own
_PATIENCE = 8.0  # seconds for an answer
_SETTLING = 120.0  # seconds in which the server must let everything go: what a client that is gone
# has sent before waits in both kernels, and its end behind it
_STALLED = "antiphon_stalled_turns_total"


@dataclass(slots=True)
class Held:
    """What the server holds while nobody is there."""

    descriptors: int
    threads: int
    tasks: float
    streams: float
    memory: float  # MiB


@dataclass(slots=True)
class Talk:
    """What the talkers met with; `silent`: questions without an answer, with the reasons that the
    server gave; latencies in seconds."""

    calls: int = 0
    hang_ups: int = 0
    turns: int = 0
    interruptions: int = 0
    silent: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    refused: int = 0  # calls for which the attacker had left no place
    responses: list[float] = field(default_factory=list)

    def take(self, turn: MeasuredTurn) -> None:
        self.turns += 1
        self.interruptions += turn.label == "interruption"
        if turn.response is not None:
            self.responses.append(turn.response)
        if not turn.answered:
            self.silent.append(f"{turn.label} {turn.name}: {', '.join(turn.decisions) or '?'}")


async def talk(line: CallerLine, until: float, random: Random, found: Talk) -> None:
    """Call after call until then, on the clock of the loop."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        script = _script(random)
        try:
            async with Caller(line.url, script, key=line.key) as caller:
                began = loop.time()
                found.calls += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(script.limit, until + _PATIENCE - began)):
                        await caller.run()
                now = loop.time() - began
                if random.random() < 0.5:
                    caller.drop()
                found.hang_ups += now >= script.limit - 0.1
                for turn in turns(caller.call.account(now, -1.0)):
                    if turn.answered or turn.last_voiced + _PATIENCE <= now:
                        found.take(turn)
        except ServerBusy:
            found.refused += 1
            await asyncio.sleep(1.0)
        except CallFailed as failure:
            found.broken.append(str(failure))
            await asyncio.sleep(1.0)


def _script(random: Random) -> CallScript:
    """Three to six questions; a third of those behind an answer are put over it. The call is cut
    at some second between the fourth and the thirtieth."""
    cues: list[Cue] = []
    for number in range(random.randint(3, 6)):
        clip = load_clip(_FOLDER / f"{random.choice(_CLIPS)}.flac")
        if number and random.random() < 1 / 3:
            after = random.uniform(0.3, 1.2)
            cues.append(Cue(clip, after_answer=after, label="interruption"))
        else:
            cues.append(Cue(clip))
    behaviour = ClientBehaviour(explains=True, truncates=random.random() < 0.5)
    limit = random.uniform(4, 30)
    return CallScript(tuple(cues), limit=limit, patience=_PATIENCE, behaviour=behaviour)


async def attack(line: CallerLine, until: float, random: Random, names: list[str]) -> None:
    """Another attack every 20 s until then; each has its turn before one comes again."""
    loop = asyncio.get_running_loop()
    for name in _shuffled(ATTACKS, random):
        if (left := until - loop.time()) <= 0:
            return
        names.append(name)
        await attack_from_outside(name, line, min(_AN_ATTACK, left))


def _shuffled(names: Any, random: Random) -> Iterator[str]:
    while True:
        drawn = list(names)
        random.shuffle(drawn)
        yield from drawn


async def run(line: CallerLine, minutes: float, seed: int) -> tuple[Talk, list[str], list[Held]]:
    """All of them together; what is held before and after, when nobody is there."""
    random, found, names = Random(seed), Talk(), list[str]()
    await _one_call(line, random)  # what is made once is made, pools of threads too
    for name in _WARMING:
        await attack_from_outside(name, line, 1.0)
    held = [await _settled(line)]
    until = asyncio.get_running_loop().time() + 60 * minutes
    attacking = asyncio.create_task(attack(line, until, Random(seed), names))
    talkers = [talk(line, until, Random(seed + number + 1), found) for number in range(_TALKERS)]
    try:
        await asyncio.gather(*talkers)
        await attacking
    finally:
        await end(attacking)
    held.append(await _settled(line))
    return found, names, held


async def _one_call(line: CallerLine, random: Random) -> None:
    await talk(line, asyncio.get_running_loop().time() + 1, random, Talk())


async def _settled(line: CallerLine) -> Held:
    """What is held once no session is open, and no less is held a second later."""
    began, last = time.monotonic(), await _held(line)
    while time.monotonic() - began < _SETTLING:
        await asyncio.sleep(1.0)
        now = await _held(line)
        if now.descriptors >= last.descriptors and now.tasks >= last.tasks and not _open(line):
            return now
        last = now
    return last


def _open(line: CallerLine) -> float:
    return _metric(line, "antiphon_sessions")


async def _held(line: CallerLine) -> Held:
    assert line.process is not None
    process = Path("/proc") / str(line.process)
    status = dict(entry.split(":", 1) for entry in (process / "status").read_text().splitlines())
    return Held(
        descriptors=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        tasks=_metric(line, "antiphon_event_loop_tasks"),
        streams=_metric(line, "antiphon_open_streams"),
        memory=own_memory(line.process),
    )


def _metric(line: CallerLine, name: str) -> float:
    text = httpx.get(beside(line, "metrics"), timeout=10.0, trust_env=False).text
    values = [each for each in text.splitlines() if each.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(value.rsplit(" ", 1)[1]) for value in values)


def judged(found: Talk, held: list[Held], stalled: float) -> list[str]:
    """What must not be."""
    before, after = held
    faults = [f"silent: {each}" for each in found.silent]
    faults += [f"broken: {each}" for each in found.broken]
    if stalled:
        faults.append(f"{stalled:.0f} stalled turns")
    for name in ("descriptors", "threads", "tasks", "streams"):
        grown = getattr(after, name) - getattr(before, name)
        if grown > 0:
            faults.append(f"{grown:.0f} {name} more at the end")
    return faults


def command(
    minutes: Annotated[float, typer.Option(min=0.2, help="How long.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 1,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS / "talkers.json",
) -> None:
    """Exit 1 where a question was not answered, a turn stalled, or something is still held."""
    console = Console(width=140)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with service(None, "--sessions-per-pair", str(_SEATS), log=log) as line:
            found, names, held = asyncio.run(run(line, minutes, seed))
            stalled = read_metrics(line).get(_STALLED, 0.0)
        faults = [*judged(found, held, stalled), *faults_in(log.read_text(errors="replace"))]
    report = header(minutes=minutes) | {"faults": faults, "attacks": names}
    report |= {"held": [asdict(each) for each in held], "talk": asdict(found)}
    report |= {"response": distribution(found.responses)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console.print(
        f"{found.calls} calls, {found.hang_ups} of them hung up, {found.refused} refused since the "
        f"attacker had all places, {found.turns} turns "
        f"({found.interruptions} over an answer), {len(found.silent)} silent, {stalled:.0f} "
        f"stalled; {len(names)} attacks; held before and after: {held[0]}, {held[1]}; "
        f"response {report['response']}",
        markup=False,
    )
    for fault in itertools.islice(faults, 40):
        console.print(fault, style="red", markup=False)
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(command)
