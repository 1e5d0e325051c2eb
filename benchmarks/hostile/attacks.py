"""What a client can do that means harm: each attack goes on for some seconds, against one server.

They are for servers of one's own: `benchmarks.neighbour` and the tests start one for them.
"""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import json
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
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


def _pictured(data: bytes) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    content = [{"type": "input_image", "image_url": url}]
    return {"type": "message", "role": "user", "content": content}


def _sounding(audio: str) -> dict[str, Any]:
    content = [{"type": "input_audio", "audio": audio}]
    return {"type": "message", "role": "user", "content": content}


def _encoded(form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (3_000, 3_000)).save(stream, form, **options)
    return stream.getvalue()


def _gif_of_comments() -> bytes:
    """Half a million comments before the picture."""
    whole = _encoded("GIF")
    end = 13 + (3 << (whole[10] & 7) + 1)
    return whole[:end] + b"\x21\xfe\x01x\x00" * 500_000 + whole[end:]


def _jpeg_of_scans() -> bytes:
    """A progressive picture whose last scan comes again and again."""
    whole = _encoded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * 500 + whole[-2:]


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
_BESIDE = {
    "conversation": "none",
    "output_modalities": ["audio"],
    "input": [_text("Tell me a story about the fox.")],
}
_ASK = _event("response.create", response={"max_output_tokens": 4})

_MOST = 15 * 2**20
_REFERENCE = {"type": "item_reference", "id": "long"}
# Marks without a letter, letters that become many, one word without end, a number without end.
_ODD = ("a" + "\u0301\u0316" * 30_000, "\ufdfa", "x", "9", "<", " ", "\U0001f469\u200d", "\x00")

_BAD: tuple[Any, ...] = ({"properties": 5}, {"properties": []}, {"type": 3}, {"required": "a"})


@cache
def _largest() -> str:
    return base64.b64encode(bytes(15 * 2**20)).decode()


@cache
def _noise() -> str:
    return base64.b64encode(random.Random(1).randbytes(_MOST)).decode()


@cache
def _torn() -> dict[str, Any]:
    return _pictured(b"\x89PNG\r\n\x1a\n" + bytes(10 * 2**20))


@cache
def _markup() -> str:
    return "<e" * 39_000 + "<end>" + "nd>" * 39_000


@cache
def _lists() -> bytes:
    return b'{"type":"x","y":[' + b"[]," * 6_000_000 + b"1]}"


@cache
def _nested() -> str:
    return '{"type":"session.update","session":{"prompt":' + '{"a":' * 900 + "1" + "}" * 902


@cache
def _many_values() -> list[dict[str, Any]]:
    return [_function({"properties": {f"p{i}": {} for i in range(9_000)}})]


@cache
def _functions() -> list[dict[str, Any]]:
    return [
        {**_function({"properties": {f"p{j}" * 10: {} for j in range(500)}}), "name": f"f{i}"}
        for i in range(128)
    ]


# Made when they are wanted: some send many megabytes.
ATTACKS: dict[str, Callable[[], Attack]] = {
    "bad functions": lambda: flood(
        *(_event("session.update", session={"tools": [_function(schema)]}) for schema in _BAD),
        then=_ASK,
    ),
    "many functions": lambda: flood(
        _event("session.update", session={"tools": _functions()}), then=_ASK, every=0.2
    ),
    "huge pictures in small files": lambda: flood(
        *(_event(_ITEM, item=_pictures(5_000, 4, form)) for form in ("PNG", "GIF", "WEBP"))
    ),
    "pictures as large as may be": lambda: flood(
        *(_event(_ITEM, item=_pictures(3_500, 2, form)) for form in ("PNG", "GIF", "WEBP"))
    ),
    "many pictures kept": lambda: flood(_event(_ITEM, item=_pictures(1_024, 8))),
    "nested markup": lambda: flood(_event(_ITEM, item=_text(_markup())), then=_ASK, every=0.2),
    "items": lambda: flood(_event(_ITEM, item=_text("hi")) * 100),
    "long texts": lambda: flood(
        *(_event(_ITEM, item=_text("how are you " * count)) for count in (5_000, 16_000)), then=_ASK
    ),
    "responses out of band": lambda: flood(_event("response.create", response=_BESIDE)),
    "session updates": lambda: flood(
        _event("session.update", session={"instructions": "x" * 100_000})
    ),
    "deep nesting": lambda: flood(Frame(Opcode.TEXT, _nested().encode()).serialize(mask=True)),
    "many values": lambda: flood(Frame(Opcode.TEXT, _lists()).serialize(mask=True)),
    "largest appends": lambda: flood(_event("input_audio_buffer.append", audio=_largest())),
    "largest appends of noise": lambda: flood(
        _event("session.update", session={"audio": {"input": {"format": {"type": "audio/pcmu"}}}})
        + _event("input_audio_buffer.append", audio=_noise())
    ),
    "largest items": lambda: flood(
        *(
            _event(_ITEM, item=item)
            for item in (_sounding(_largest()), _text("x" * _MOST), _torn())
        ),
        _event(_ITEM, item={"type": "function_call_output", "call_id": "c", "output": "x" * _MOST}),
        _event("session.update", session={"instructions": "x" * _MOST}),
    ),
    "wrong fields": lambda: flood(
        _event("session.update", session={f"k{i}": i for i in range(15_000)}),
        _event("response.create", response={"metadata": {f"k{i}": i for i in range(15_000)}}),
        _event(_ITEM, item={"type": "message", "role": "user", "content": [[]] * 15_000}),
    ),
    "sessions of many values": lambda: flood(
        _event("session.update", session={"prompt": {f"k{i}": [] for i in range(9_000)}}),
        _event("session.update", session={"tools": _many_values()}),
    ),
    "references": lambda: flood(
        _event(_ITEM, item=_text("a b " * 12_000) | {"id": "long"}),
        _event("response.create", response=_BESIDE | {"input": [_REFERENCE] * 500}),
        _event("response.create", response=_BESIDE | {"input": [_REFERENCE]}),
    ),
    "many small pictures": lambda: flood(
        _event("response.create", response=_BESIDE | {"input": [_pictures(8, 8)] * 500}), every=0.1
    ),
    "pictures of many pieces": lambda: flood(
        *(_event(_ITEM, item=_pictured(data)) for data in (_gif_of_comments(), _jpeg_of_scans()))
    ),
    "responses cancelled": lambda: flood(
        _event("response.create", response=_BESIDE) + _event("response.cancel"),
        _event("response.create") + _event("response.cancel"),
    ),
    "retrieved again and again": lambda: flood(
        _event(_ITEM, item=_text("a b " * 12_000) | {"id": "long"}),
        _event("conversation.item.retrieve", item_id="long") * 500,
    ),
    "items before the others": lambda: flood(
        _event(_ITEM, item=_text("hi"), previous_item_id="root") * 100,
        _event(_ITEM, item=_text("hi") | {"id": "x"})
        + _event("conversation.item.delete", item_id="x"),
    ),
    "texts of odd letters": lambda: flood(
        *(_event(_ITEM, item=_text(odd * (60_000 // len(odd)))) for odd in _ODD),
        then=_ASK,
        every=0.2,
    ),
    "tiny appends": lambda: flood(_event("input_audio_buffer.append", audio="AA==") * 500),
    "pings": lambda: flood(Frame(Opcode.PING, b"").serialize(mask=True) * 10_000),
    "empty fragments": lambda: flood(
        Frame(Opcode.TEXT, b"{", False).serialize(mask=True)
        + Frame(Opcode.CONT, b"", False).serialize(mask=True) * 10_000
    ),
    "one-byte fragments": lambda: flood(
        Frame(Opcode.TEXT, b"{", False).serialize(mask=True)
        + Frame(Opcode.CONT, b" ", False).serialize(mask=True) * 10_000
    ),
    "no UTF-8": lambda: flood(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True)),
    "unread pongs": lambda: unread_pongs,
    "half-open connections": lambda: half_open,
    "connections": lambda: connects,
    "bodies before the key": lambda: bodies,
    "hang-ups": lambda: hang_ups,
}
