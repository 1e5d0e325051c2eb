"""What a client can do that means harm: each attack goes on for some seconds, against one server.

They are for servers of one's own: `benchmarks.neighbour` and the tests start one for them.
"""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from PIL import Image
from websockets.frames import Frame, Opcode

from benchmarks.driver import CallerLine
from benchmarks.hostile.raw import RawClient

Attack: TypeAlias = Callable[[CallerLine, float], Coroutine[Any, Any, None]]
_TEXT_ONLY = {"output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}}


def _text(words: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": words}]
    return {"type": "message", "role": "user", "content": content}


def _pictures(side: int, count: int, form: str = "PNG") -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("P", (side, side)).save(stream, form)
    url = f"data:image/{form.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
    content: list[dict[str, Any]] = [{"type": "input_text", "text": "x"}]
    content += [{"type": "input_image", "image_url": url}] * count
    return {"type": "message", "role": "user", "content": content}


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}).encode()
    return Frame(Opcode.TEXT, data).serialize(mask=True)


def _function(parameters: Any) -> dict[str, Any]:
    return {"type": "function", "name": "f", "parameters": parameters}


def flood(*frames: bytes, then: bytes = b"", every: float = 0.0) -> Attack:
    """Send frames again and again in one session, a new one when the server closes it; `then`:
    behind each round of them."""

    async def attack(line: CallerLine, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
                await _flood_once(line, frames, then, until, every)
            await asyncio.sleep(0.1)

    return attack


async def _flood_once(
    line: CallerLine, frames: tuple[bytes, ...], then: bytes, until: float, every: float
) -> None:
    client = await RawClient.connect(line)
    try:
        await client.send_event("session.update", session=_TEXT_ONLY)
        async with asyncio.timeout(max(0.1, until - time.monotonic())):
            for frame in itertools.cycle(frames):
                await client.send_raw(frame + then)
                await asyncio.sleep(every)
    finally:
        await client.close()


async def _dial(line: CallerLine) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(line.url)
    return await asyncio.open_connection(url.hostname, url.port)


async def half_open(line: CallerLine, seconds: float) -> None:
    """Three hundred connections that never finish a request."""
    writers = []
    for number in range(300):
        with suppress(OSError):
            _, writer = await _dial(line)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"")
            writers.append(writer)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.transport.abort()


async def connects(line: CallerLine, seconds: float) -> None:
    """Five hundred connections a second, with a handshake that is refused."""
    host = urlsplit(line.url).netloc
    request = f"GET /v1/realtime?model=other HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
    request += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    request += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://[\r\n\r\n"

    async def one() -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                reader, writer = await _dial(line)
                writer.write(request.encode())
                await reader.read(100)
                writer.transport.abort()

    began, tasks = time.monotonic(), set[asyncio.Task[None]]()
    for number in range(round(seconds * 500)):
        await asyncio.sleep(max(0.0, began + number / 500 - time.monotonic()))
        task = asyncio.create_task(one())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


async def bodies(line: CallerLine, seconds: float) -> None:
    """Bodies without end, with a key that is none."""
    until = time.monotonic() + seconds
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    head = b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Authorization: Bearer wrong-wrong\r\nTransfer-Encoding: chunked\r\n\r\n"
    while time.monotonic() < until:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(max(0.1, until - time.monotonic())):
                _, writer = await _dial(line)
                writer.write(head)
                for _ in range(600):
                    writer.write(chunk)
                    await writer.drain()
        await asyncio.sleep(0.05)


async def unread_pongs(line: CallerLine, seconds: float) -> None:
    """Pings whose pongs nobody reads."""
    client = await RawClient.connect(line)
    client.stop_reading()
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                await client.send_raw(Frame(Opcode.PING, bytes(125)).serialize(mask=True) * 500)
    await client.close()


async def hang_ups(line: CallerLine, seconds: float) -> None:
    """Sessions that are opened, fed and dropped, as fast as they come."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            client = await RawClient.connect(line)
            await client.send_event("conversation.item.create", item=_pictures(1024, 7))
            await client.send_event("response.create")
            await client.close()
        await asyncio.sleep(0.05)


_ITEM = "conversation.item.create"
_LARGEST = base64.b64encode(bytes(15 * 2**20)).decode()
_NESTED = '{"type":"session.update","session":{"prompt":' + '{"a":' * 900 + "1" + "}" * 902
_MARKUP = "<e" * 39_000 + "<end>" + "nd>" * 39_000
_LISTS = b'{"type":"x","y":[' + b"[]," * 6_000_000 + b"1]}"
_FUNCTIONS = [
    {**_function({"properties": {f"p{j}" * 10: {} for j in range(500)}}), "name": f"f{i}"}
    for i in range(128)
]
_BESIDE = {
    "conversation": "none",
    "output_modalities": ["audio"],
    "input": [_text("Tell me a story about the fox.")],
}
_ASK = _event("response.create", response={"max_output_tokens": 4})

_BAD: tuple[Any, ...] = ({"properties": 5}, {"properties": []}, {"type": 3}, {"required": "a"})

ATTACKS: dict[str, Attack] = {
    "bad functions": flood(
        *(_event("session.update", session={"tools": [_function(schema)]}) for schema in _BAD),
        then=_ASK,
    ),
    "many functions": flood(
        _event("session.update", session={"tools": _FUNCTIONS}), then=_ASK, every=0.2
    ),
    "huge pictures in small files": flood(
        *(_event(_ITEM, item=_pictures(5_000, 4, form)) for form in ("PNG", "GIF", "WEBP"))
    ),
    "pictures as large as may be": flood(
        *(_event(_ITEM, item=_pictures(3_500, 2, form)) for form in ("PNG", "GIF", "WEBP"))
    ),
    "many pictures kept": flood(_event(_ITEM, item=_pictures(1_024, 8))),
    "nested markup": flood(_event(_ITEM, item=_text(_MARKUP)), then=_ASK, every=0.2),
    "items": flood(_event(_ITEM, item=_text("hi")) * 100),
    "long texts": flood(_event(_ITEM, item=_text("how are you " * 16_000)), then=_ASK),
    "responses out of band": flood(_event("response.create", response=_BESIDE)),
    "session updates": flood(_event("session.update", session={"instructions": "x" * 100_000})),
    "deep nesting": flood(Frame(Opcode.TEXT, _NESTED.encode()).serialize(mask=True)),
    "many values": flood(Frame(Opcode.TEXT, _LISTS).serialize(mask=True)),
    "largest appends": flood(_event("input_audio_buffer.append", audio=_LARGEST)),
    "tiny appends": flood(_event("input_audio_buffer.append", audio="AA==") * 500),
    "pings": flood(Frame(Opcode.PING, b"").serialize(mask=True) * 10_000),
    "empty fragments": flood(
        Frame(Opcode.TEXT, b"{", False).serialize(mask=True)
        + Frame(Opcode.CONT, b"", False).serialize(mask=True) * 10_000
    ),
    "one-byte fragments": flood(
        Frame(Opcode.TEXT, b"{", False).serialize(mask=True)
        + Frame(Opcode.CONT, b" ", False).serialize(mask=True) * 10_000
    ),
    "no UTF-8": flood(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True)),
    "unread pongs": unread_pongs,
    "half-open connections": half_open,
    "connections": connects,
    "bodies before the key": bodies,
    "hang-ups": hang_ups,
}
