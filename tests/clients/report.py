"""What a client's program is given by the runner and how it tells what it saw.

It is copied beside each program into the environment of that client, so it needs nothing but the
standard library.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

BASE_URL = os.environ["ANTIPHON_BASE_URL"]  # http://HOST:PORT/v1
WEBSOCKET_URL = "ws" + BASE_URL.removeprefix("http") + "/realtime"
SCRIPTED_BASE_URL = os.environ["ANTIPHON_SCRIPTED_BASE_URL"]  # a server with scripted models
KEY = os.environ["ANTIPHON_TEST_KEY"]
SPEECH = Path(os.environ["ANTIPHON_SPEECH"])  # a folder of WAV files: 24 kHz, mono, 16 bit
RATE = 24_000
FRAME = RATE // 50 * 2  # bytes of 20 ms
LIMIT = 45.0  # seconds for one feature


def speech(name: str) -> bytes:
    """A recording as PCM with silence behind it, long enough for a turn to end."""
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return bytes(file.readframes(file.getnframes())) + bytes(RATE * 2)


async def play(pcm: bytes, send: Callable[[bytes], Awaitable[object]]) -> None:
    """Send a recording at playing speed, in frames of 20 ms."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, at in enumerate(range(0, len(pcm), FRAME)):
        await send(pcm[at : at + FRAME])
        await asyncio.sleep(max(0.0, began + (number + 1) * 0.02 - loop.time()))


def tell(feature: str, result: str, note: str = "") -> None:
    """One cell of the table: yes, no, or why this client does not have the feature."""
    print(json.dumps({"feature": feature, "result": result, "note": note}), flush=True)


async def feature(name: str, check: Callable[[], Awaitable[str]]) -> None:
    """Run one check, bounded in time; its text says what was seen, any exception means no."""
    try:
        seen = await asyncio.wait_for(check(), LIMIT)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        traceback.print_exc(file=sys.stderr)
        tell(name, "no", f"{type(error).__name__}: {error}"[:300])
    else:
        tell(name, "yes", seen[:300])


async def restart_server() -> None:
    """Ask the runner to stop the server and start it again; return when it is loading."""
    print(json.dumps({"restart": True}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def check(condition: object, what: object) -> None:
    """Raises AssertionError with what was seen instead, also where asserts are compiled away."""
    if not condition:
        raise AssertionError(str(what))
