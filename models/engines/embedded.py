"""models.engines: the embedded engine: onnxruntime on CPU, for the bundled model.

    bundle = load(folder)
    first, second = EmbeddedInstance(bundle, "first"), EmbeddedInstance(bundle, "second")

The weights are in the bundle, once. An instance is a thread with its queue; a stream is a cache.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from models.base import (
    HEAR_CHUNK,
    AnswerOptions,
    AnswerPart,
    Conversation,
    InstanceFailed,
    Item,
    Mark,
    Samples,
    Verdict,
)
from models.engines.answering import Answer
from models.engines.bundle import Bundle
from models.engines.guard import CallGuard
from models.engines.language import DecoderCache
from models.engines.listening import Listener
from models.engines.memory import Memory
from models.engines.speaking import speech_cache
from models.engines.worker import Priority, Worker

Result = TypeVar("Result")
STREAMS = 64  # open at once on one instance: what bounds its queue
_WARM_SECONDS = 0.4


def load(folder: Path) -> Bundle:
    """Read a model folder. Raises models.engines.bundle.BadBundle."""
    return Bundle.read(folder)


class EmbeddedInstance:
    """A models.base.Instance over a bundle that others may share."""

    def __init__(self, bundle: Bundle, name: str = "embedded") -> None:
        self.name = name
        self.bundle = bundle
        self.worker = Worker(name)
        self._listener = Listener(bundle.listening, bundle.model)
        self._streams: set[EmbeddedStream] = set()

    def capacity(self) -> int:
        return self.bundle.config.capacity

    async def open(self, conversation: Conversation) -> EmbeddedStream:
        """Raises InstanceFailed, OutOfRoom."""
        if len(self._streams) >= STREAMS:
            raise InstanceFailed(f"all {STREAMS} streams are taken")
        memory = Memory(self.bundle, self._listener, self.capacity())
        stream = EmbeddedStream(self, memory)
        self._streams.add(stream)
        try:
            await self._all(memory.begin(conversation))
        except BaseException:
            await stream.close()
            raise
        return stream

    async def warm_up(self) -> None:
        """Run every network once, so that the first caller does not wait for first touches."""
        stream = await self.open(Conversation())
        silence = np.zeros(round(_WARM_SECONDS * 16_000), np.float32)
        await stream.hear(silence, last=True)
        options = AnswerOptions(max_tokens=8)
        async with aclosing(stream.answer(options)) as parts:
            async for _ in parts:
                pass
        await stream.close()

    async def close(self) -> None:
        for stream in list(self._streams):
            await stream.close()
        self.worker.close()

    async def _all(self, pieces: Iterator[None]) -> None:
        """Reading piece by piece, so that urgent work of other streams gets in between."""
        over = object()
        while await self.worker.run(partial(next, pieces, over), Priority.RUNNING) is not over:
            pass

    def forget(self, stream: EmbeddedStream) -> None:
        self._streams.discard(stream)


class EmbeddedStream:
    """A models.base.Stream: manners and awaiting; what it remembers is its Memory."""

    def __init__(self, instance: EmbeddedInstance, memory: Memory) -> None:
        self._instance, self._memory = instance, memory
        self._guard = CallGuard()
        self._speech: DecoderCache | None = None

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        with self._guard.call("hear"):
            for start in range(0, max(chunk.size, 1), HEAR_CHUNK):
                piece = np.asarray(chunk[start : start + HEAR_CHUNK], np.float32)
                verdict = await self._urgent(partial(self._memory.hear, piece))
            return await self._urgent(self._memory.flush) if last else verdict

    async def end_segment(self) -> None:
        with self._guard.call("end_segment"):
            await self._urgent(self._memory.end_segment)

    async def read(self, item: Item) -> None:
        with self._guard.call("read"):
            await self._instance._all(self._memory.reading(item))

    async def mark(self) -> Mark:
        with self._guard.call("mark"):
            return await self._urgent(self._memory.mark)

    async def rewind(self, mark: Mark) -> None:
        with self._guard.call("rewind"):
            await self._urgent(partial(self._memory.rewind, mark))

    async def answer(self, options: AnswerOptions) -> AsyncGenerator[AnswerPart, None]:
        with self._guard.call("answer"):
            bundle = self._instance.bundle
            if bundle.voice is not None and self._speech is None and options.speak:
                self._speech = speech_cache(bundle, bundle.voice)
            steps = Answer(bundle, self._memory, options, self._speech)
            async with aclosing(self._instance.worker.iterate(steps)) as parts:
                async for part in parts:
                    yield part

    def embedded(self) -> npt.NDArray[np.float32] | None:
        return self._memory.embedded()

    def room(self) -> int:
        return self._memory.room()

    async def close(self) -> None:
        if self._guard.close():
            self._instance.forget(self)

    async def _urgent(self, work: Callable[[], Result]) -> Result:
        return await self._instance.worker.run(work, Priority.HEARING)
