"""`python -m benchmarks.store_faults`: does a call notice that the store of conversations fails?

One server keeps its conversations in a Redis, behind a line that can be slow. The same questions
are asked while the store is well, slow, silent, down and full; a call must not notice any of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.driver import CallerLine
from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import MissingMaterial
from benchmarks.percentiles import distribution
from benchmarks.restarts import NotInstalled, new_keys
from benchmarks.rolling import script
from benchmarks.service import service
from benchmarks.slow_line import SlowLine
from server.call.caller import Caller
from server.call.latency import turns

_SLOW = 1.5  # seconds by which each piece is late, either way: beyond the server's deadline
_FULL = "1mb"  # what a Redis may use that is full: less than it needs by itself


@dataclass(slots=True)
class FaultyStore:
    """A Redis on a Unix socket, and the line to it."""

    folder: Path
    line: SlowLine
    process: Process | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "redis"

    async def start(self, *options: str) -> None:
        """Raises TimeoutError where it does not come up."""
        self.process = await asyncio.create_subprocess_exec(
            *("redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", ""),
            *options,
            stdout=DEVNULL,
        )
        async with asyncio.timeout(10):
            while not self.socket.exists():  # noqa: ASYNC110  a process tells only when asked
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self.socket.unlink(missing_ok=True)


@asynccontextmanager
async def faulty_store() -> AsyncIterator[FaultyStore]:
    """Raises NotInstalled."""
    if shutil.which("redis-server") is None:
        raise NotInstalled("redis-server is not installed")
    folder = Path(tempfile.mkdtemp())
    async with SlowLine(folder / "redis") as line:
        store = FaultyStore(folder, line)
        try:
            await store.start()
            yield store
        finally:
            await store.stop()


async def _well(store: FaultyStore) -> None:
    store.line.set(0.0)


async def _slow(store: FaultyStore) -> None:
    store.line.set(_SLOW)


async def _silent(store: FaultyStore) -> None:
    store.line.set(None)


async def _down(store: FaultyStore) -> None:
    store.line.set(0.0)
    await store.stop()


async def _full(store: FaultyStore) -> None:
    await store.start("--maxmemory", _FULL, "--maxmemory-policy", "noeviction")


FAULTS: dict[str, Callable[[FaultyStore], Awaitable[None]]] = {
    "well": _well,
    "slow": _slow,
    "silent": _silent,
    "down": _down,
    "full": _full,
}


async def one_call(line: CallerLine, seconds: float, seed: int) -> dict[str, Any]:
    """Ask question after question; what came of them."""
    caller = Caller(line.url, script(seconds, seed), key=line.key, resumes=True)
    async with caller:
        record = await caller.run()
    asked = [
        turn for turn in turns(record) if turn.last_voiced + caller.call.script.patience < seconds
    ]
    responses = [turn.response for turn in asked if turn.response is not None]
    return {
        "turns": len(asked),
        "unanswered": sum(turn.response is None for turn in asked),
        "lost_connections": len(caller.gaps),
        "underruns": record.underruns,
        "responses": responses,
    }


async def measure(
    line: CallerLine, store: FaultyStore, calls: int, seconds: float
) -> dict[str, Any]:
    """The same questions under each fault."""
    rows: dict[str, Any] = {}
    for name, begin in FAULTS.items():
        await begin(store)
        found = await asyncio.gather(*(one_call(line, seconds, seed) for seed in range(calls)))
        responses = [each for call in found for each in call.pop("responses")]
        rows[name] = {key: sum(call[key] for call in found) for key in found[0]}
        rows[name]["response_s"] = distribution(responses) if responses else None
    return rows


def main(
    calls: Annotated[int, typer.Option(min=1, help="At a time.")] = 2,
    seconds: Annotated[float, typer.Option(help="Of each call.")] = 40.0,
    module: Annotated[str, typer.Option(help="What serves: `python -m MODULE`.")] = "server serve",
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
) -> None:
    """Talk while the store of conversations is well, slow, silent, down and full."""
    console = Console()

    async def run() -> dict[str, Any]:
        async with faulty_store() as store:
            os.environ["ANTIPHON_RESUME__STORE"] = f"redis://127.0.0.1:{store.line.port}/0"
            os.environ["ANTIPHON_RESUME__KEYS"] = new_keys()
            starting = service(None, command=module.split())
            line = await asyncio.to_thread(starting.__enter__)
            try:
                return await measure(line, store, calls, seconds)
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)

    try:
        rows = asyncio.run(run())
    except (NotInstalled, MissingMaterial) as lacks:
        console.print(str(lacks), style="red")
        raise typer.Exit(1) from None
    for name, row in rows.items():
        console.print(f"{name}: {row}", markup=False)
    report = header(calls=calls, seconds=seconds, module=module) | {"faults": rows}
    out.mkdir(parents=True, exist_ok=True)
    (out / "store-faults.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
