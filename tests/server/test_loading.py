"""Clients that come while the models are being loaded."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from server.service import Engine
from tests.server.house import House, LevelDetector, receive


class LoadingHouse(House):
    """A server whose models are loaded when `finish` is called, and which does not wait for it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._may_end = threading.Event()
        self.service._load = self._slowly

    def _slowly(self, _: object) -> Engine:
        self._may_end.wait(30)
        return Engine((self.instances,), LevelDetector)

    def finish(self) -> None:
        self._may_end.set()

    async def __aenter__(self) -> LoadingHouse:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self.service.started.wait()
        return self

    async def until_waiting(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.service.loading.waiting != count:  # noqa: ASYNC110  no event for it
                await asyncio.sleep(0.01)

    async def __aexit__(self, *details: object) -> None:
        self.finish()
        await super().__aexit__(*details)


async def test_a_handshake_waits_for_the_models() -> None:
    async with LoadingHouse() as house:
        connecting = asyncio.ensure_future(_connected(house))
        await house.until_waiting(1)
        assert not connecting.done()
        house.finish()
        client = await connecting
        assert (await receive(client))["type"] == "session.created"
        await client.close()
        assert house.service.loading.waiting == 0


async def _connected(house: House) -> Any:
    return await house.connect()


async def test_so_many_wait_and_no_more() -> None:
    async with LoadingHouse(sessions_per_pair=1) as house:
        first = asyncio.ensure_future(_connected(house))
        await house.until_waiting(1)
        await _refused(house)
        house.finish()
        await (await first).close()


async def test_nobody_waits_without_a_key() -> None:
    async with LoadingHouse() as house:
        await _refused(house, status=401, additional_headers={})
        assert house.service.loading.waiting == 0


async def test_waiting_has_an_end() -> None:
    async with LoadingHouse(limits={"loading": 0.05}) as house:
        await _refused(house)
        assert house.service.loading.waiting == 0


async def test_who_leaves_while_waiting_leaves_a_place() -> None:
    async with LoadingHouse(sessions_per_pair=1) as house:
        leaving = asyncio.ensure_future(_connected(house))
        await house.until_waiting(1)
        leaving.cancel()
        await house.until_waiting(0)


async def test_a_startup_probe_waits_for_the_models_and_liveness_does_not() -> None:
    async with LoadingHouse() as house, httpx.AsyncClient(base_url=f"http://{house.host}") as http:
        assert (await http.get("/healthz")).status_code == 200
        loading = await http.get("/healthz?loaded=1")
        assert (loading.status_code, loading.json()["status"]) == (503, "loading")
        house.finish()
        assert house.service.loaded is not None
        await house.service.loaded
        assert (await http.get("/healthz?loaded=1")).status_code == 200
        house.service.drain.begin()  # no reason to start it again
        assert (await http.get("/healthz?loaded=1")).status_code == 200


async def _refused(house: House, status: int = 503, **options: Any) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await house.connect(**options)
    assert caught.value.response.status_code == status
