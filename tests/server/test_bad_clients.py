"""Clients that do wrong: each gets a clear error or close code, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.config import Limits
from server.realtime.budget import BudgetSettings
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import KEY, House, frames, noise, receive, silence

ENDLESS = ScriptedAnswer("on " * 400, word_seconds=0.1, chunk_seconds=2.0)


async def send(client: ClientConnection, kind: str, **fields: Any) -> None:
    await client.send(json.dumps({"type": kind, **fields}))


async def closed(client: ClientConnection) -> tuple[int, str]:
    """Read until the end; the close code and reason."""
    async with asyncio.timeout(15):
        try:
            while True:
                await client.recv()
        except ConnectionClosed as error:
            assert error.rcvd is not None
            return error.rcvd.code, error.rcvd.reason


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{nonsense", "invalid_json"),
        ('{"type": "no.such.event", "event_id": "e"}', "invalid_value"),
        ('{"type": "session.update", "session": 3, "event_id": "e"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "%&"}', "invalid_value"),
        ('{"type": "response.create", "response": {"input": 1}}', "invalid_value"),
        (b"\x00\x01", "invalid_value"),
    ],
)
async def test_bad_message_is_an_error_and_the_session_goes_on(
    house: House, message: str | bytes, code: str
) -> None:
    async with house.connect() as client:
        await receive(client, "session.created")
        await client.send(message)
        error = (await receive(client))["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        if isinstance(message, str) and '"e"' in message:
            assert error["event_id"] == "e"
        await send(client, "session.update", session={"instructions": "still here"})
        assert (await receive(client))["session"]["instructions"] == "still here"


async def test_huge_frame_is_closed_with_1009(house: House) -> None:
    async with house.connect() as client, house.connect() as other:
        await receive(client)
        await client.send("x" * (house.settings.limits.frame + 1))
        assert (await closed(client))[0] == 1009
        await receive(other, "session.created")
        await send(other, "session.update", session={})
        await receive(other, "session.updated")


async def test_sound_faster_than_it_plays_is_not_dropped(house: House) -> None:
    """A file at once, longer than may wait: the client is read more slowly instead."""
    async with house.connect() as client:
        await send(client, "session.update", session={"audio": {"input": {"turn_detection": None}}})
        audio = base64.b64encode(bytes(2**20)).decode()
        await send(client, "input_audio_buffer.append", audio=audio)
        await send(client, "input_audio_buffer.clear")
        await receive(client, "input_audio_buffer.cleared")
    assert "antiphon_dropped_audio_seconds_total 0.0" in house.service.metrics.text().decode()


async def test_audio_after_the_end_is_harmless() -> None:
    async with House(limits=Limits(session=0.3)) as house, house.connect() as client:
        error = (await receive(client, "error"))["error"]
        assert error["code"] == "session_expired"
        for frame in frames(noise(0.5)):
            try:
                await send(client, "input_audio_buffer.append", audio=frame)
            except ConnectionClosed:
                break
        assert (await closed(client))[0] == 1001
        await house.until_empty()


async def test_idle_client_is_let_go() -> None:
    async with House(limits=Limits(idle=0.3)) as house, house.connect() as client:
        assert (await receive(client, "error"))["error"]["code"] == "session_idle"
        assert (await closed(client))[0] == 1000


async def test_client_that_stops_reading_is_expelled() -> None:
    limits = Limits(unread_seconds=0.5, unread=2**20)
    script = EngineScript(answers=[ENDLESS])
    many = BudgetSettings(updates_a_second=1000)
    async with House(script, limits=limits, budget=many, lead_ms=2000) as house:
        async with house.connect() as other:
            await receive(other, "session.created")
            deaf = await deaf_client(house)
            await house_is_down_to(house, 1)
            await send(other, "session.update", session={"instructions": "fine"})
            await receive(other, "session.updated")
            deaf.close()
        closed_with = house.service.metrics.text().decode()
        assert 'antiphon_sessions_closed_total{code="1008"} 1.0' in closed_with


async def deaf_client(house: House) -> socket.socket:
    """A raw client that asks for more than its buffers hold, and reads nothing of it."""
    loop = asyncio.get_running_loop()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    host, port = house.host.split(":")
    await loop.sock_connect(raw, (host, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /v1/realtime HTTP/1.1",
        f"Host: {house.host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {KEY}",
    ]
    await loop.sock_sendall(raw, ("\r\n".join(lines) + "\r\n\r\n").encode())
    # Each update is answered with the whole session: a few kilobytes of echo for each.
    text = {"type": "session.update", "session": {"instructions": "x" * 30_000}}
    frame = masked(json.dumps(text).encode())
    for _ in range(200):
        try:
            async with asyncio.timeout(0.5):
                await loop.sock_sendall(raw, frame)
        except TimeoutError:
            break  # the server reads no more either
    return raw


def masked(payload: bytes) -> bytes:
    """One text frame from a client, with a mask of zeros."""
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload


async def house_is_down_to(house: House, sessions: int) -> None:
    async with asyncio.timeout(15):
        while house.service.admission.taken != sessions:  # noqa: ASYNC110  no event for it
            await asyncio.sleep(0.02)


async def test_client_that_vanishes_leaves_nothing_behind(house: House) -> None:
    client = await house.connect()
    await receive(client, "session.created")
    for frame in frames(silence(0.2), noise(0.4)):
        await send(client, "input_audio_buffer.append", audio=frame)
    client.transport.abort()
    await house.until_empty()
    assert not house.service.queues
    streams = [stream for instance in house.instances for stream in instance.streams]
    async with asyncio.timeout(5):
        while not all(stream.closed for stream in streams):  # noqa: ASYNC110  no event for it
            await asyncio.sleep(0.02)


async def test_a_hundred_connects_at_once(house: House) -> None:
    """Two get in, the others are told to come again, and those inside notice nothing."""
    held: list[ClientConnection] = []
    refused: list[int] = []

    async def attempt() -> None:
        try:
            held.append(await house.connect(open_timeout=20))
        except InvalidStatus as error:
            refused.append(error.response.status_code)
            assert error.response.headers["Retry-After"]

    await asyncio.gather(*(attempt() for _ in range(100)))
    assert (len(held), refused) == (2, [503] * 98)
    for client in held:
        await receive(client, "session.created")
        await client.close()
    await house.until_empty()
    async with house.connect() as client:
        await receive(client, "session.created")
