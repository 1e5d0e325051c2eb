"""A drain as the clients, the balancer and the operator of a real server see it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.config import DrainSettings
from server.draining.command import requested
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import House, receive

HEALTH_CHECK = Path(__file__).resolve().parents[3] / "deploy" / "healthcheck.py"
LONG = EngineScript(answers=[ScriptedAnswer("one two three four", word_seconds=0.3)])


async def test_new_calls_are_refused_and_open_ones_go_on() -> None:
    async with House(LONG, drain=DrainSettings(seconds=60)) as house:
        async with house.connect() as client:
            await receive(client, "session.created")
            house.service.drain.begin()
            with pytest.raises(InvalidStatus) as caught:
                await house.connect()
            refused = caught.value.response
            assert refused.status_code == 503 and "draining" in refused.body.decode()
            assert int(refused.headers["Retry-After"]) > 0
            async with httpx.AsyncClient(base_url=f"http://{house.host}") as http:
                assert (await http.get("/healthz")).status_code == 200
                ready = await http.get("/readyz")
                assert (ready.status_code, ready.json()["status"]) == (503, "draining")
                metrics = (await http.get("/metrics")).text
            assert "antiphon_draining 1.0" in metrics and "antiphon_places_left 0.0" in metrics
            await client.send('{"type": "response.create"}')
            done = await receive(client, "response.done")
            assert done["response"]["status"] == "completed"
        async with asyncio.timeout(5):
            await house.service.drain.ended.wait()


async def test_the_image_stays_healthy_while_it_drains() -> None:
    async with House(LONG, drain=DrainSettings(seconds=60)) as house, house.connect() as client:
        await receive(client, "session.created")
        assert await health_check(house) == 0
        house.service.drain.begin()
        assert await health_check(house) == 0
        house.service.admission.is_draining = False
        house.service.admission.pool = None  # as while it loads
        assert await health_check(house) == 1


async def health_check(house: House) -> int:
    """The exit code of the image's health check."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HEALTH_CHECK)),
        env={**os.environ, "ANTIPHON_PORT": house.host.rpartition(":")[2]},
    )
    return await process.wait()


async def test_a_running_answer_is_finished_before_the_close() -> None:
    async with House(LONG, drain=DrainSettings(seconds=0, answers=20)) as house:
        async with house.connect() as talking, house.connect() as silent:
            await talking.send('{"type": "response.create"}')
            await receive(talking, "response.output_audio.delta")
            house.service.drain.begin()
            assert await close_code(silent) == 1012
            done = await receive(talking, "response.done")
            assert done["response"]["status"] == "completed"
            assert await close_code(talking) == 1012
        async with asyncio.timeout(5):
            await house.service.drain.ended.wait()


async def test_an_answer_without_end_is_cut_at_last() -> None:
    script = EngineScript(answers=[ScriptedAnswer("word " * 200, word_seconds=0.3)])
    async with House(script, drain=DrainSettings(seconds=0, answers=0.2)) as house:
        async with house.connect() as client:
            await client.send('{"type": "response.create"}')
            await receive(client, "response.output_audio.delta")
            house.service.drain.begin()
            assert await close_code(client) == 1012


async def close_code(client: Any) -> int:
    """The code with which the server ends this connection."""
    with pytest.raises(ConnectionClosed) as caught:
        async with asyncio.timeout(10):
            while True:
                await client.recv()
    assert caught.value.rcvd is not None
    return int(caught.value.rcvd.code)


# --------------------------------------------------------------------------- the control socket


async def test_the_socket_drains_and_reports(tmp_path: Path) -> None:
    path = tmp_path / "control"
    async with House(drain=DrainSettings(seconds=60, socket=path)) as house:
        assert path.stat().st_mode & 0o777 == 0o600
        reported: list[dict[str, Any]] = []
        async with house.connect() as client:
            await receive(client, "session.created")
            following = asyncio.create_task(
                asyncio.to_thread(lambda: reported.extend(requested(path, b"drain")))
            )
            async with asyncio.timeout(5):
                while not house.service.drain.is_begun:  # noqa: ASYNC110  the server's own state
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await following
    assert reported[0] == {"status": "draining", "sessions": 1}
    assert reported[-1] == {"status": "draining", "sessions": 0}
    assert not path.exists()


@pytest.mark.parametrize("request_", [b"stop", b"", b"x" * 1000])
async def test_another_request_drains_nothing(tmp_path: Path, request_: bytes) -> None:
    path = tmp_path / "control"
    async with House(drain=DrainSettings(socket=path)) as house:
        await asyncio.to_thread(lambda: list(requested(path, request_)))
        state = await asyncio.to_thread(lambda: list(requested(path, b"status")))
        assert state == [{"status": "ready", "sessions": 0}]
        assert not house.service.drain.is_begun


async def test_a_file_that_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with House(drain=DrainSettings(socket=path)):
        state = await asyncio.to_thread(lambda: list(requested(path, b"status")))
        assert state[0]["status"] == "ready"
