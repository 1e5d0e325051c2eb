"""A listening stream as a resumable session of the engine.

Each chunk prefills and samples one token; the log-probabilities of the state ids are its verdict.
A session reads on; to go back it is closed, and another is opened on the kept prefix, of which the
engine's cache still knows all whole blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from models.engines.prompt import Prompt
from models.engines.vllm.host import EngineHost, EngineProcess
from models.engines.vllm.requests import Urgency, judging, scores_of

REOPEN_FROM = 64  # tokens: to read so many again costs more than to ask the prefix cache for them


@dataclass(slots=True)
class SessionUsage:
    """Sessions opened, and tokens that were read `again` because one was opened anew."""

    opened: int = 0
    again: int = 0


class Reader:
    """Reads a stream's lines on one engine. One call at a time."""

    def __init__(self, host: EngineHost, process: EngineProcess, states: Sequence[int]) -> None:
        self._host, self._life, self._states = host, process, tuple(states)
        self._params = judging(states)
        self._line = Prompt()  # what the session has read
        self._chunks: asyncio.Queue[Any] | None = None
        self._outputs: AsyncGenerator[Any, None] | None = None
        self.tally = SessionUsage()

    async def read(self, line: Prompt, urgency: Urgency) -> list[float]:
        """Read up to the end of `line`; the state ids' log-probabilities there."""
        news = None if self._outputs is None else line.after(self._line)
        if news is not None and 0 < news.length < REOPEN_FROM:
            return scores_of(await self._push(line, news), self._states)
        kept = line.shared(self._line)
        await self.close()
        if not self._host.park():  # a place too few for answers would be worse than a probe
            return await self.probe(line, urgency)
        output = await self._open(line, urgency)
        self.tally.opened += 1
        self.tally.again += max(0, kept - (output.num_cached_tokens or 0))
        return scores_of(output, self._states)

    async def probe(self, line: Prompt, urgency: Urgency) -> list[float]:
        """The same without the session: what it has read stays as it is."""
        outputs = self._host.request(self._life, line, self._params, urgency)
        (output,) = [output async for output in outputs]
        return scores_of(output, self._states)

    async def prefill(self, line: Prompt) -> None:
        """Let the engine's cache know a line that will be read soon, if that is worth a request."""
        news = line.after(self._line)
        if (line if news is None else news).length >= REOPEN_FROM:
            await self.probe(line, Urgency.READING)

    async def close(self) -> None:
        outputs, self._outputs, self._chunks = self._outputs, None, None
        self._line = Prompt()
        if outputs is not None:
            self._host.leave()
            await outputs.aclose()

    async def _open(self, line: Prompt, urgency: Urgency) -> Any:
        chunks: asyncio.Queue[Any] = asyncio.Queue()
        self._chunks = chunks
        self._outputs = self._host.generate(self._life, _taken(chunks), self._params, urgency)
        return await self._push(line, line)

    async def _push(self, line: Prompt, news: Prompt) -> Any:
        assert self._chunks is not None and self._outputs is not None
        self._chunks.put_nowait(self._host.inputs.more(news, self._params))
        try:
            output = await anext(self._outputs)
        except BaseException:
            await self.close()
            raise
        self._line = line
        return output


async def _taken(chunks: asyncio.Queue[Any]) -> AsyncGenerator[Any, None]:
    while True:
        yield await chunks.get()
