"""A caller on Twilio's side of the sample: mu-law in frames of 20 ms, both ways."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from typing import Any

import quickstart
import uvicorn
import websockets
from report import check, feature, speech, tell

FRAME = 160  # bytes of 20 ms
SILENCE = 0xFF


def mu_law(pcm: bytes) -> bytes:
    """16-bit PCM at 24 kHz as G.711 at 8 kHz: the mean of three samples, then compressed."""
    samples = memoryview(pcm).cast("h")
    thirds = (sum(samples[at : at + 3]) // 3 for at in range(0, len(samples) - 2, 3))
    return bytes(compressed(sample) for sample in thirds)


def compressed(sample: int) -> int:
    """One sample of G.711 mu-law (ITU-T G.711)."""
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), 32635) + 132
    exponent = max(0, size.bit_length() - 8)
    return ~(sign | exponent << 4 | (size >> (exponent + 3)) & 0x0F) & 0xFF


class Caller:
    """One call: sends media all the time, and keeps what comes back."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._waiting = bytearray()
        self.media = bytearray()
        self.events: list[str] = []

    def say(self, pcm: bytes) -> None:
        self._waiting += mu_law(pcm)

    async def send(self) -> None:
        await self._socket.send(json.dumps({"event": "start", "start": {"streamSid": "MZ1"}}))
        began, number = asyncio.get_running_loop().time(), 0
        while True:
            piece = bytes(self._waiting[:FRAME])
            del self._waiting[:FRAME]
            payload = base64.b64encode(piece + bytes([SILENCE]) * (FRAME - len(piece))).decode()
            media = {"payload": payload, "timestamp": str(number * 20)}
            await self._socket.send(json.dumps({"event": "media", "media": media}))
            number += 1
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, began + number * 0.02 - now))

    async def receive(self) -> None:
        async for text in self._socket:
            data = json.loads(text)
            check(data.get("streamSid") == "MZ1", data)
            self.events.append(data["event"])
            if data["event"] == "media":
                self.media += base64.b64decode(data["media"]["payload"])


def errors() -> list[Any]:
    return [event for event in quickstart.told if event["type"] == "error"]


async def until(*kinds: str, since: int = 0) -> Any:
    while True:
        for event in quickstart.told[since:]:
            if event["type"] in kinds:
                return event
        check(not errors(), errors())
        await asyncio.sleep(0.02)


class Call:
    async def __aenter__(self) -> Caller:
        del quickstart.told[:]
        self._socket = await websockets.connect(f"ws://127.0.0.1:{PORT}/media-stream")
        caller = Caller(self._socket)
        self._work = [asyncio.create_task(w) for w in (caller.send(), caller.receive())]
        return caller

    async def __aexit__(self, *_: object) -> None:
        for task in self._work:
            task.cancel()
        await self._socket.close()


def words(done: Any) -> str:
    parts = (part for item in done["response"]["output"] for part in item.get("content", ()))
    return " ".join(part.get("transcript", "") for part in parts)


async def voice() -> str:
    async with Call() as caller:
        caller.say(speech("question_en_capital"))
        done = await until("response.done")
        check("mark" in caller.events, caller.events)
        loud = sum(byte not in (0xFF, 0x7F) for byte in caller.media)
        check(loud > 4000, f"{loud} bytes of sound came back")
        return words(done)


async def interruption() -> str:
    async with Call() as caller:
        caller.say(speech("story_en"))
        await until("response.output_audio.delta")
        await asyncio.sleep(1.5)
        since = len(quickstart.told)
        caller.say(speech("question_en_capital"))
        await until("input_audio_buffer.speech_started", since=since)
        await until("conversation.item.truncated", since=since)
        cut = await until("response.done", since=since)
        check(cut["response"]["status"] == "cancelled", cut["response"]["status"])
        answer = await until("response.done", since=quickstart.told.index(cut) + 1)
        check("clear" in caller.events, caller.events)
        check(not errors(), errors())
        return f"cut, then {words(answer)!r}"


async def second_connection() -> str:
    async with Call():
        await until("session.updated")
    return await voice()


async def main() -> None:
    global PORT
    bound = socket.create_server(("127.0.0.1", 0))
    PORT = bound.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(quickstart.app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    await feature("quick start", voice)
    await feature("voice, transcript", voice)
    await feature("interruption, history", interruption)
    for name in ("tool", "handoff", "guardrail", "text", "image"):
        tell(name, "-", "not in this client")
    await feature("connects again", second_connection)
    server.should_exit = True
    await serving


asyncio.run(main())
