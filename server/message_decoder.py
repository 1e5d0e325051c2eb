"""Decodes small messages of clients on the event loop, others on threads of their own.

The threads are few and shared, so that what is decoded at a time takes bounded memory; each
session has one message under way, so they serve the sessions in turn. None of them has a lower
priority: a thread that is not run while it holds the interpreter's lock stops the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from server.realtime.client_events import ClientEvent
from server.realtime.decode import Decoder, Step, is_slow
from server.realtime.refusal import Refusal

Result = TypeVar("Result")
# Larger messages (long appends, images) are decoded beside the loop, where they delay no one.
LARGE_MESSAGE = 64 * 1024


class NoText(Exception):
    """A text message that is no UTF-8, after which a connection cannot go on (RFC 6455, 8.1)."""


class DecodingThreads:
    """The threads of one server: one for pictures, two for large messages without."""

    def __init__(self) -> None:
        self._pictures = ThreadPoolExecutor(1, "pictures")
        self._large = ThreadPoolExecutor(2, "messages")

    async def run(self, work: Callable[[], Result], *, is_picture: bool) -> Result:
        pool = self._pictures if is_picture else self._large
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def close(self) -> None:
        """Without waiting for what is under way, which nobody wants any more."""
        self._pictures.shutdown(wait=False, cancel_futures=True)
        self._large.shutdown(wait=False, cancel_futures=True)


class MessageDecoder:
    """One session's decoder on the server's threads."""

    def __init__(self, decoder: Decoder, threads: DecodingThreads) -> None:
        self._decoder, self._threads = decoder, threads

    async def decode(self, text: str | bytes) -> list[Step]:
        """Raises Refusal; NoText for bytes that are no UTF-8."""
        decoder = self._decoder
        is_large = len(text) >= LARGE_MESSAGE
        if is_large:
            event = await self._threads.run(partial(_parse, decoder, text), is_picture=False)
        else:
            event = _parse(decoder, text)
        is_picture = is_slow(event)
        if is_picture or is_large:
            return await self._threads.run(lambda: decoder.steps(event), is_picture=is_picture)
        return decoder.steps(event)

    def pause(self) -> float:
        """Seconds for which this client is to wait, for what its latest message asks for."""
        return self._decoder.pause()

    def sound_pause(self, samples: int) -> float:
        """Seconds for which this client is to wait after so much sound."""
        return self._decoder.sound_pause(samples)


def _parse(decoder: Decoder, text: str | bytes) -> ClientEvent:
    try:
        return decoder.parse(text)
    except Refusal:
        if isinstance(text, bytes) and not _is_utf8(text):
            raise NoText from None
        raise


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
