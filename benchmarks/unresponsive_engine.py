"""A server whose instances ignore a cancelled answer for some seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

import typer
import uvloop

from models.base import AnswerOptions, AnswerPart, Conversation, Instance, Stream
from server.app import create_app, load_engine
from server.config import ServerSettings, load_settings
from server.serve import new_server
from server.service import Engine


class UnresponsiveInstance:
    """A models.base.Instance whose streams go on for `seconds` after an answer was cancelled."""

    def __init__(self, instance: Instance, seconds: float) -> None:
        self.name = instance.name
        self._instance, self._seconds = instance, seconds

    async def open(self, conversation: Conversation) -> Stream:
        stream: Any = UnresponsiveStream(await self._instance.open(conversation), self._seconds)
        return stream  # type: ignore[no-any-return]

    def capacity(self) -> int:
        return self._instance.capacity()

    async def close(self) -> None:
        await self._instance.close()


class UnresponsiveStream:
    """Everything as the stream inside does it, except that a cancelled answer lingers."""

    def __init__(self, stream: Stream, seconds: float) -> None:
        self._stream, self._seconds = stream, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def answer(self, options: AnswerOptions) -> AsyncIterator[AnswerPart]:
        try:
            async for part in self._stream.answer(options):
                yield part
        except (asyncio.CancelledError, GeneratorExit):
            await linger(self._seconds)
            raise


async def linger(seconds: float) -> None:
    """Wait, whoever cancels."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


def unresponsive(engine: Engine, seconds: float) -> Engine:
    """The same engine with stubborn instances."""
    pairs = tuple(
        (UnresponsiveInstance(first, seconds), UnresponsiveInstance(second, seconds))
        for first, second in engine.pairs
    )
    return replace(engine, pairs=pairs)


def main(
    port: Annotated[int, typer.Option(help="Port to listen on.")],
    seconds: Annotated[float, typer.Option(help="How long a cancelled answer lingers.")] = 5.0,
) -> None:
    """Serve until terminated."""
    settings: ServerSettings = load_settings(None, {"port": port})
    app = create_app(settings, unresponsive(load_engine(settings), seconds))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(new_server(app, settings).serve())


if __name__ == "__main__":
    typer.run(main)
