"""Clients that flood, dawdle or send what nobody asked for, against a real server."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

import pytest
from websockets.frames import Frame, Opcode

from server.config import Limits
from server.transport import MOST_FRAGMENTS
from tests.server.house import KEY, House, receive

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
UPGRADE = (
    "GET /v1/realtime?model=nano HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {KEY}\r\n\r\n"
)


async def dial(house: House, text: str = "") -> Streams:
    host, port = house.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    return reader, writer


async def upgraded(house: House) -> Streams:
    reader, writer = await dial(house, UPGRADE)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"101" in head.partition(b"\r\n")[0]
    return reader, writer


def refusals(house: House, reason: str) -> float:
    registry = house.service.metrics.registry
    return registry.get_sample_value("antiphon_refusals_total", {"reason": reason}) or 0.0


def masked(data: bytes, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def closing_code(reader: asyncio.StreamReader) -> int:
    """The code of the close frame at the end of what comes."""
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                at = data.rfind(b"\x88")
                if at >= 0 and len(data) >= at + 4:
                    return int.from_bytes(data[at + 2 : at + 4])
    return 0


# ------------------------------------------------------------------------------ before the request


@pytest.mark.parametrize("sent", ["", "GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_request_has_to_come_in_time(sent: str) -> None:
    async with House(limits=Limits(request_seconds=0.2)) as house:
        reader, writer = await dial(house, sent)
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        assert refusals(house, "half_open") == 1
        writer.close()


async def test_a_second_request_has_to_come_in_time_too() -> None:
    async with House(limits=Limits(request_seconds=0.2)) as house:
        reader, writer = await dial(house, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /")
        async with asyncio.timeout(4):
            with suppress(ConnectionError):
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_half_open_connections_are_few_and_the_oldest_gives_way() -> None:
    async with House(limits=Limits(half_open=8)) as house:
        first = await dial(house, "GET /")
        others = [await dial(house, "GET /") for _ in range(8)]
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                assert await first[0].read() == b""
            newest = await dial(house, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await newest[0].readline()).startswith(b"HTTP/1.1 200")
        for _, writer in (first, *others, newest):
            writer.close()


async def test_open_sessions_are_not_half_open() -> None:
    async with House(limits=Limits(request_seconds=0.2)) as house, house.connect() as client:
        await receive(client, "session.created")
        await asyncio.sleep(0.5)
        await client.send('{"type": "input_audio_buffer.clear"}')
        await receive(client, "input_audio_buffer.cleared")


# -------------------------------------------------------------------------------- before the key


async def test_a_body_is_not_read_before_the_key() -> None:
    async with House() as house:
        head = "POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: localhost\r\n"
        head += "Authorization: Bearer wrong\r\nTransfer-Encoding: chunked\r\n\r\n"
        reader, writer = await dial(house, head)
        async with asyncio.timeout(10):
            assert b"401" in await reader.readline()
            sent, chunk = 0, b"10000\r\n" + bytes(0x10000) + b"\r\n"
            with suppress(ConnectionError):
                while sent < 200:
                    writer.write(chunk)
                    await writer.drain()
                    sent += 1
        assert sent < 200
        writer.close()


@pytest.mark.parametrize("large", [True, False])
async def test_a_body_is_bounded_in_size_and_time(large: bool) -> None:
    async with House(limits=Limits(request_seconds=0.5)) as house:
        size = 3_000_000 if large else 10
        head = f"POST /v1/realtime/client_secrets HTTP/1.1\r\nContent-Length: {size}\r\n"
        head += f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        reader, writer = await dial(house, head + ("x" * size if large else "{"))
        async with asyncio.timeout(10):
            assert (b"413" if large else b"408") in await reader.readline()
        writer.close()


# ------------------------------------------------------------------------------------- its frames


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
async def test_control_frames_are_counted(opcode: Opcode) -> None:
    async with House() as house, house.connect() as other:
        await receive(other, "session.created")
        reader, writer = await upgraded(house)
        flood, slowest = masked(b"", opcode) * 2_000_000, 0.0
        writer.write(flood)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            began = time.monotonic()
            await other.send('{"type": "input_audio_buffer.clear"}')
            await receive(other, "input_audio_buffer.cleared")
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 1
        assert writer.transport.get_write_buffer_size() > 0  # most of it is not read yet
        writer.transport.abort()
        del reader


async def test_fragments_of_one_message_are_counted() -> None:
    async with House() as house:
        reader, writer = await upgraded(house)
        writer.write(masked(b"{", fin=False))
        writer.write(masked(b"", Opcode.CONT, fin=False) * (MOST_FRAGMENTS + 10))
        assert await closing_code(reader) == 1008
        writer.close()


async def test_a_message_in_fragments_is_a_message() -> None:
    async with House() as house:
        reader, writer = await upgraded(house)
        text = b'{"type": "input_audio_buffer.clear"}'
        pieces = [text[at : at + 1] for at in range(len(text))]
        writer.write(masked(pieces[0], fin=False))
        for piece in pieces[1:-1]:
            writer.write(masked(piece, Opcode.CONT, fin=False) + masked(b"", Opcode.PING))
        writer.write(masked(pieces[-1], Opcode.CONT))
        async with asyncio.timeout(10):
            await reader.readuntil(b"input_audio_buffer.cleared")
        writer.close()


async def test_text_that_is_none_is_closed_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with House() as house:
        reader, writer = await upgraded(house)
        writer.write(masked(b"\xff\xff"))
        assert await closing_code(reader) == 1007
        writer.close()
        await house.until_empty()
    assert not [record for record in caplog.records if record.exc_info]


async def test_who_is_slowed_down_is_not_cut_for_its_pong() -> None:
    limits = Limits(messages_a_second=100, ping_seconds=0.3)
    async with House(limits=limits) as house, house.connect() as client:
        await receive(client, "session.created")
        for _ in range(300):  # two seconds more than the keepalive's patience
            await client.send('{"type": "input_audio_buffer.clear"}')
        for _ in range(300):
            await receive(client, "input_audio_buffer.cleared")


async def test_who_answers_no_ping_is_let_go() -> None:
    async with House(limits=Limits(ping_seconds=0.2)) as house:
        reader, writer = await upgraded(house)
        await house.until_empty()
        writer.close()
        del reader


# ---------------------------------------------------------------------------------------- the log


async def test_no_key_no_query_and_no_words_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with House(log_level="debug") as house:
            query = "model=nano&secret=QUERYWORDS"
            async with house.connect(query) as client:
                await receive(client, "session.created")
                await client.send(
                    '{"type": "session.update", "session": {"instructions": "WORDS"}}'
                )
                await receive(client, "session.updated")
                await client.send('{"type": "WORDS"}')
                await receive(client, "error")
            reader, writer = await dial(
                house, f"GET /v1/models?{query} HTTP/1.1\r\nHost: localhost\r\n"
                f"Connection: close\r\nAuthorization: Bearer {KEY}WRONG\r\n\r\n"
            )  # fmt: skip
            await reader.read()
            writer.close()
    logged = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("websockets")
    )
    assert logged
    for secret in (KEY, "QUERYWORDS", "WORDS", "WRONG"):
        assert secret not in logged
