"""The recipe for HAProxy, as it stands, in front of three real servers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from server.config import DrainSettings
from tests.server.house import KEY, House, receive

RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
NAMES = ("ONE", "TWO", "THREE")
PLACES = 3  # of each server
pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Fleet:
    """Three servers with three places each, and the balancer before them."""

    servers: list[House]
    address: str
    balancer: Process

    async def call(
        self,
        query: str = "model=nano",
        headers: dict[str, str] | None = None,
        subprotocols: list[Subprotocol] | None = None,
    ) -> ClientConnection:
        client = await connect(
            f"ws://{self.address}/v1/realtime?{query}",
            additional_headers={"Authorization": f"Bearer {KEY}", **(headers or {})},
            subprotocols=subprotocols,
            proxy=None,
            max_size=None,
        )
        await receive(client, "session.created")
        return client

    async def fill(self, calls: AsyncExitStack) -> None:
        """Take every place. On a busy machine a health check may be late, and the balancer without
        a server that it knows of: then a call is tried again."""
        async with asyncio.timeout(20):
            while sum(self.taken) < PLACES * len(NAMES):
                try:
                    await calls.enter_async_context(await self.call())
                except InvalidStatus as error:
                    assert error.response.status_code == 503
                    await asyncio.sleep(0.1)

    @property
    def taken(self) -> list[int]:
        return [each.service.admission.taken for each in self.servers]

    async def until_seen(self, number: int, state: str) -> None:
        """Wait until the balancer has seen a server "UP" or "DOWN"."""
        assert self.balancer.stdout is not None
        wanted = f"Server servers/{NAMES[number].lower()} is {state}"
        async with asyncio.timeout(10):
            while wanted not in (await self.balancer.stdout.readline()).decode():
                continue


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        servers = [House(drain=DrainSettings(seconds=60), sessions_per_pair=PLACES) for _ in NAMES]
        for server in servers:
            await stack.enter_async_context(server)
        address = f"127.0.0.1:{free_port()}"
        places = {f"ANTIPHON_{n}": s.host for n, s in zip(NAMES, servers, strict=True)}
        balancer = await asyncio.create_subprocess_exec(
            *("haproxy", "-db", "-f", str(RECIPE)),
            env={**os.environ, **places, "ANTIPHON_BIND": address},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await until_up(address)
            yield Fleet(servers, address, balancer)
        finally:
            balancer.kill()
            await balancer.wait()


async def until_up(address: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(10):
        while not await answers(http, address):  # noqa: ASYNC110  a process tells only when asked
            await asyncio.sleep(0.05)


async def answers(http: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await http.get(f"http://{address}/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_calls_go_where_the_fewest_are_open(fleet: Fleet) -> None:
    async with AsyncExitStack() as calls:
        for _ in range(6):
            await calls.enter_async_context(await fleet.call())
        assert fleet.taken == [2, 2, 2]


async def test_a_server_that_has_just_become_full_is_passed_over(fleet: Fleet) -> None:
    """It was filled behind the balancer's back, sooner than the next health check, and looks
    emptier to the balancer than the others."""
    async with AsyncExitStack() as calls:
        for _ in range(5):
            await calls.enter_async_context(await fleet.call())
        full = fleet.servers[fleet.taken.index(1)]
        for _ in range(PLACES - 1):
            full.service.admission.take()
        await calls.enter_async_context(await fleet.call())
        assert sorted(fleet.taken) == [2, 3, 3]
        assert requests_of(full) == 2  # it was asked, said no, and another one was asked


async def test_a_full_fleet_refuses_with_a_reason(fleet: Fleet) -> None:
    async with AsyncExitStack() as calls:
        await fleet.fill(calls)
        assert fleet.taken == [PLACES] * len(NAMES)
        with pytest.raises(InvalidStatus) as caught:
            await fleet.call()
        refused = caught.value.response
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert json.loads(refused.body)["error"]["code"] == "capacity"


async def test_a_draining_server_keeps_its_call_and_gets_no_more(fleet: Fleet) -> None:
    async with AsyncExitStack() as calls:
        opened = [await fleet.call() for _ in range(3)]
        for one in opened:
            await calls.enter_async_context(one)
        leaving = fleet.servers[0]
        async with leaving.connect() as kept:
            await receive(kept, "session.created")
            leaving.service.drain.begin()
            await fleet.until_seen(0, "DOWN")
            await calls.enter_async_context(await fleet.call())
            assert fleet.taken[0] == 2 and sum(fleet.taken) == 5
            clients: list[ClientConnection] = [kept, *opened]
            for client in clients:
                await client.send('{"type": "input_audio_buffer.clear"}')
                await receive(client, "input_audio_buffer.cleared")


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("carrier", ["query", "header", "subprotocol"])
async def test_a_token_goes_to_the_server_that_gave_it(
    fleet: Fleet, number: int, carrier: str
) -> None:
    token = f"{NAMES[number].lower()}.secret"
    carriers: dict[str, dict[str, Any]] = {
        "query": {"query": f"model=nano&resume={token}"},
        "header": {"headers": {"X-Antiphon-Resume": token}},
        "subprotocol": {"subprotocols": ["realtime", f"antiphon-resume.{token}"]},
    }
    before = [requests_of(each) for each in fleet.servers]
    try:
        async with await fleet.call(**carriers[carrier]):
            pass
    except InvalidStatus:
        pass  # nobody knows this token; where it was asked for is what counts
    after = [requests_of(each) for each in fleet.servers]
    assert [a - b for b, a in zip(before, after, strict=True)] == [
        float(n == number) for n in range(3)
    ]


def requests_of(server: House) -> float:
    """How many clients a server has let in or refused."""
    text = server.service.metrics.text().decode()
    names = ("antiphon_sessions_opened_total", "antiphon_refusals_total")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(names))


async def test_the_log_has_no_token_and_clients_see_no_metrics(fleet: Fleet) -> None:
    async with await fleet.call("model=nano&unknown=secret-token"):
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://{fleet.address}/metrics")).status_code == 404
    assert fleet.balancer.stdout is not None
    text = ""
    async with asyncio.timeout(10):
        while "GET /v1/realtime" not in text:
            text += (await fleet.balancer.stdout.readline()).decode()
    assert "secret-token" not in text and KEY not in text
