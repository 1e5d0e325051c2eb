"""SIGTERM, SIGINT and `antiphon drain` against a server in a process of its own."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.server.house import receive
from tests.server.test_serve import ROOT, needs_model, said, serving

pytestmark = needs_model


@asynccontextmanager
async def called(process: Process) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A client of a server that has just been started, and the server's address."""
    found = re.search(r"http://(127\.0\.0\.1:\d+)/$", (await said(process)).rstrip())
    assert found is not None
    async with connect(f"ws://{found[1]}/v1/realtime", proxy=None, max_size=None) as client:
        await receive(client, "session.created")
        yield client, f"http://{found[1]}"


async def is_draining(http: httpx.AsyncClient, address: str) -> bool:
    status: str = (await http.get(f"{address}/readyz")).json()["status"]
    return status == "draining"


async def until_draining(address: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(10):
        while not await is_draining(http, address):  # noqa: ASYNC110  a server tells when asked
            await asyncio.sleep(0.02)


async def test_sigterm_waits_for_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_DRAIN__SECONDS", "60")
    async with serving() as process:
        async with called(process) as (client, address):
            process.send_signal(signal.SIGTERM)
            await until_draining(address)
            await client.send('{"type": "input_audio_buffer.clear"}')
            await receive(client, "input_audio_buffer.cleared")
            assert process.returncode is None
        async with asyncio.timeout(15):
            assert await process.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_is_quick(
    monkeypatch: pytest.MonkeyPatch, second: signal.Signals
) -> None:
    monkeypatch.setenv("ANTIPHON_DRAIN__SECONDS", "600")
    async with serving() as process, called(process) as (client, address):
        process.send_signal(signal.SIGTERM)
        await until_draining(address)
        process.send_signal(second)
        with pytest.raises(ConnectionClosed) as caught:
            await receive(client, "never")
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1012
        async with asyncio.timeout(15):
            await process.wait()


async def test_the_command_drains_through_the_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTIPHON_DRAIN__SECONDS", "60")
    monkeypatch.setenv("ANTIPHON_DRAIN__SOCKET", str(tmp_path / "control"))
    async with serving() as process:
        async with called(process) as (_, address):
            command = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "server", "drain"),
                cwd=ROOT,
                stderr=asyncio.subprocess.PIPE,
            )
            await until_draining(address)
            assert command.returncode is None and process.returncode is None
        async with asyncio.timeout(15):
            _, told = await command.communicate()
            assert await command.wait() == 0 and await process.wait() == 0
    assert "draining: 1 calls are open" in told.decode()


async def test_the_command_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    for options, code, words in (
        ((), 2, "drain.socket is not set"),
        (("--socket", "/nowhere"), 1, "cannot be reached"),
    ):
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "drain", *options),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await command.communicate()
        assert command.returncode == code and words in told.decode()
