"""Three servers behind the recipe for HAProxy, with one Redis, that can be replaced under calls."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.service import free_port

RECIPE = Path(__file__).resolve().parents[1] / "deploy" / "haproxy" / "haproxy.cfg"
NAMES = ("one", "two", "three")
_READY_WITHIN = 90.0
_ENDS_WITHIN = 120.0


class NotInstalled(Exception):
    """A program that this measurement needs is not there."""


@dataclass(slots=True)
class FleetServer:
    """One place behind the balancer, and the server that fills it now. `spans`: from when to when
    it was ready, seconds of the monotonic clock; `drains`: from SIGTERM to its end."""

    name: str
    port: int
    command: list[str]
    environment: dict[str, str]
    process: Process | None = None
    spans: list[tuple[float, float]] = field(default_factory=list)
    drains: list[tuple[float, float]] = field(default_factory=list)
    _since: float = 0.0

    async def start(self) -> None:
        """Raises TimeoutError where it does not get ready."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command, env=self.environment, stdout=DEVNULL, stderr=DEVNULL
        )
        async with httpx.AsyncClient() as http, asyncio.timeout(_READY_WITHIN):
            while not await self._is_ready(http):  # noqa: ASYNC110  it tells only when asked
                await asyncio.sleep(0.1)
        self._since = time.monotonic()

    async def end(self, sent: signal.Signals) -> None:
        """Send the signal and wait for the end."""
        assert self.process is not None
        asked = time.monotonic()
        self.spans.append((self._since, asked))
        self.process.send_signal(sent)
        async with asyncio.timeout(_ENDS_WITHIN):
            await self.process.wait()
        self.drains.append((asked, time.monotonic()))

    def up(self, now: float) -> list[tuple[float, float]]:
        """From when to when it was ready, until `now`."""
        return [*self.spans, (self._since, now)]

    async def _is_ready(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).is_success
        except httpx.TransportError:
            return False


@dataclass(frozen=True, slots=True)
class RestartedFleet:
    """The servers, and the address at which the balancer takes calls."""

    servers: list[FleetServer]
    url: str


@asynccontextmanager
async def fleet(
    module: str, places: int, drain: float, folder: Path | None = None
) -> AsyncIterator[RestartedFleet]:
    """Start all of it. `module`: what `python -m` serves with; `places`: of each server; `drain`:
    seconds in which calls may end by themselves. Raises NotInstalled."""
    for program in ("haproxy", "redis-server"):
        if shutil.which(program) is None:
            raise NotInstalled(f"{program} is not installed")
    where = Path(tempfile.mkdtemp()) if folder is None else folder
    environment = {
        **os.environ,
        "ANTIPHON_RESUME__STORE": f"unix://{where}/redis",
        "ANTIPHON_RESUME__KEYS": new_keys(),
        "ANTIPHON_API_KEYS": secrets.token_urlsafe(16),
        "ANTIPHON_DRAIN__SECONDS": str(drain),
    }
    os.environ["ANTIPHON_KEY"] = environment["ANTIPHON_API_KEYS"]
    servers = [_server(name, module, places, environment) for name in NAMES]
    started: list[Process] = []
    try:
        started.append(await _redis(where))
        await asyncio.gather(*(server.start() for server in servers))
        balancer, address = await _balancer(servers)
        started.append(balancer)
        yield RestartedFleet(servers, f"ws://{address}/v1/realtime")
    finally:
        for process in (*started, *(s.process for s in servers)):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()


def new_keys() -> str:
    """What a store of conversations is encrypted with, as `resume.keys` wants it."""
    from cryptography.fernet import Fernet

    key: bytes = Fernet.generate_key()
    return key.decode()


def _server(name: str, module: str, places: int, environment: dict[str, str]) -> FleetServer:
    port = free_port()
    options = ["--port", str(port), "--sessions-per-pair", str(places)]
    command = [sys.executable, "-m", *module.split(), *options]
    return FleetServer(name, port, command, environment | {"ANTIPHON_RESUME__SERVER": name})


async def _redis(folder: Path) -> Process:
    process = await asyncio.create_subprocess_exec(
        *("redis-server", "--port", "0", "--unixsocket", f"{folder}/redis", "--save", ""),
        stdout=DEVNULL,
    )
    async with asyncio.timeout(10):
        while not (folder / "redis").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return process


async def _balancer(servers: list[FleetServer]) -> tuple[Process, str]:
    address = f"127.0.0.1:{free_port()}"
    places = {f"ANTIPHON_{s.name.upper()}": f"127.0.0.1:{s.port}" for s in servers}
    process = await asyncio.create_subprocess_exec(
        *("haproxy", "-db", "-f", str(RECIPE)),
        env={**os.environ, **places, "ANTIPHON_BIND": address},
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    async with httpx.AsyncClient() as http, asyncio.timeout(10):
        while True:
            try:
                if (await http.get(f"http://{address}/healthz")).is_success:
                    return process, address
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
