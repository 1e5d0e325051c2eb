"""One answer: words from the engine, their sound from the voice beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeAlias

from models.base import AnswerChunk, AnswerPart, FunctionCall
from models.engines.answering import AnswerVoice
from models.engines.jobs import Priority
from models.engines.worker import AHEAD

_Waiting: TypeAlias = AnswerPart | Exception | None
Written: TypeAlias = str | FunctionCall
Run: TypeAlias = Callable[[Callable[[], list[AnswerChunk]], Priority], Awaitable[list[AnswerChunk]]]


class VoicedAnswer:
    """Text as it comes; the voice takes steps on the instance's thread while the engine writes on.
    Closing `parts` stops both."""

    def __init__(
        self, written: AsyncIterator[Written], voice: AnswerVoice | None, run: Run
    ) -> None:
        """`run` does a voice's step on the instance's thread."""
        self._written, self._voice, self._run = written, voice, run
        self._parts: asyncio.Queue[_Waiting] = asyncio.Queue(AHEAD)
        self._news: list[str] = []  # text that the voice has not taken yet
        self._is_written = False
        self._changed = asyncio.Event()

    async def parts(self) -> AsyncGenerator[AnswerPart, None]:
        """Raises what broke either of them."""
        work = asyncio.create_task(self._work())
        try:
            while (part := await self._parts.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._write())
                if self._voice is not None:
                    both.create_task(self._speak(self._voice))
        except ExceptionGroup as broken:
            await self._parts.put(broken.exceptions[0])
        else:
            await self._parts.put(None)

    async def _write(self) -> None:
        async for piece in self._written:
            if isinstance(piece, FunctionCall):
                await self._parts.put(piece)
            else:
                self._news.append(piece)
                self._changed.set()
                await self._parts.put(AnswerChunk(text=piece))
        self._is_written = True
        self._changed.set()

    async def _speak(self, voice: AnswerVoice) -> None:
        told = False
        while not voice.done:
            self._changed.clear()
            news, self._news = "".join(self._news), []
            ends = self._is_written and not told
            told = told or ends
            if not (news or ends or voice.busy):
                await self._changed.wait()
                continue
            priority = Priority.RUNNING if voice.sounding else Priority.FIRST
            step = partial(_step, voice, news, ends)
            for chunk in await self._run(step, priority):
                await self._parts.put(chunk)


def _step(voice: AnswerVoice, news: str, ends: bool) -> list[AnswerChunk]:
    if news:
        voice.write(news)
    if ends:
        voice.end()
    return list(voice.step()) if voice.busy else []
