"""An instance in this process: a thread with its queue, over shared weights.

What every such engine has in common: one thread, urgent work first, streams that are counted, one
call at a time. What is computed is the model's: its memories hear and read, its answers are steps.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from models.base import (
    HEAR_RATE,
    AnswerOptions,
    AnswerPart,
    Conversation,
    InstanceFailed,
    Item,
    Mark,
    Samples,
    Synthesizer,
    Tool,
    Verdict,
)
from models.capabilities import Capabilities
from models.engines.exclusive_access import ExclusiveAccess, StreamClosed
from models.engines.grammar import Grammar
from models.engines.jobs import Priority, Steps
from models.engines.worker import Worker
from models.synthesizers.recitation import spoken
from models.vita.config import LANGUAGES, SECONDS_A_TOKEN

Result = TypeVar("Result")
DeviceStream: TypeAlias = Callable[[Priority], AbstractContextManager[None]]
STREAMS = 64  # open at once on one instance: what bounds its queue
_WARM_SECONDS = 0.4


class StreamMemory(Protocol):
    """What one stream has heard, read and said; synchronous, on the instance's thread."""

    def begin(self, conversation: Conversation) -> Iterator[None]: ...
    def hear(self, samples: Samples) -> Verdict: ...
    def flush(self) -> Verdict: ...
    def end_segment(self) -> None: ...
    def reading(self, item: Item) -> Iterator[None]: ...
    def mark(self) -> Mark: ...
    def rewind(self, mark: Mark) -> None: ...
    def embedded(self) -> npt.NDArray[np.float32] | None: ...
    def room(self) -> int: ...


Memory = TypeVar("Memory", bound=StreamMemory)


class Model(Protocol[Memory]):
    """One copy of the weights, which any number of instances share."""

    @property
    def capacity(self) -> int:
        """Tokens of one stream."""
        ...

    @property
    def sees(self) -> bool:
        """Whether it takes pictures."""
        ...

    @property
    def grammar(self) -> Grammar:
        """How it wants conversations to be written."""
        ...

    @property
    def frames_read(self) -> int:
        """How many frames of a video in a row it is given."""
        ...

    @property
    def is_streamed(self) -> bool:
        """Whether sound is encoded once, as it comes, and not the whole segment at each verdict."""
        ...

    @property
    def hearing_piece(self) -> int:
        """Samples at 16 kHz that are heard in one go."""
        ...

    @property
    def synthesizer(self) -> Synthesizer | None:
        """What speaks for a model without a voice."""
        ...

    def device_stream(self) -> DeviceStream:
        """Where one instance's work of each priority runs."""
        ...

    def remember(self) -> Memory:
        """The memory of a new stream: all that it ever allocates."""
        ...

    def answer(self, memory: Memory, options: AnswerOptions) -> Steps[AnswerPart]: ...


class ResidentInstance(Generic[Memory]):
    """A models.base.Instance over a model that others may share."""

    def __init__(self, model: Model[Memory], name: str) -> None:
        self.name, self.model = name, model
        self.device_stream = model.device_stream()
        self.worker = Worker(name, self._try_out)
        self._streams: set[ResidentStream[Memory]] = set()

    @property
    def is_up(self) -> bool:
        return self.worker.is_up

    def capacity(self) -> int:
        return self.model.capacity

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            pictures=self.model.sees,
            context=self.model.capacity,
            longest_sound=self.model.capacity // 2 * SECONDS_A_TOKEN,
            languages=LANGUAGES,
            is_streamed=self.model.is_streamed,
            frames=self.model.frames_read,
        )

    def fitted(self, item: Item) -> Item:
        """See models.capabilities.Measuring."""
        return self.model.grammar.fitted(item)

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """See models.capabilities.Measuring."""
        return self.model.grammar.num_fitting(tools)

    async def open(self, conversation: Conversation) -> ResidentStream[Memory]:
        """Raises InstanceFailed, OutOfRoom."""
        if len(self._streams) >= STREAMS:
            raise InstanceFailed(f"all {STREAMS} streams are taken")
        memory = await self.run(self.model.remember, Priority.RUNNING)
        stream = ResidentStream(self, memory)
        self._streams.add(stream)
        try:
            await self.read_all(memory.begin(conversation))
        except BaseException:
            await stream.close()
            raise
        return stream

    async def warm_up(self) -> None:
        """Run every network once, so that the first caller does not wait for first touches."""
        stream = await self.open(Conversation())
        await stream.hear(np.zeros(round(_WARM_SECONDS * HEAR_RATE), np.float32), last=True)
        async with aclosing(stream.answer(AnswerOptions(max_tokens=8))) as parts:
            async for _ in parts:
                pass
        await stream.close()

    async def close(self) -> None:
        for stream in list(self._streams):
            await stream.close()
        self.worker.close()

    async def run(self, work: Callable[[], Result], priority: Priority) -> Result:
        """On the instance's thread, in the lane of its priority."""
        return await self.worker.run(partial(self._in_lane, work, priority), priority)

    async def read_all(self, pieces: Iterator[None]) -> None:
        """Reading piece by piece, so that urgent work of other streams gets in between."""
        over = object()
        while await self.run(partial(next, pieces, over), Priority.RUNNING) is not over:
            pass

    def _try_out(self) -> None:
        """Hear a moment of silence, as a new stream would; on the instance's thread."""
        with self.device_stream(Priority.HEARING):
            memory = self.model.remember()
            for _ in memory.begin(Conversation()):
                continue
            memory.hear(np.zeros(self.model.hearing_piece, np.float32))
            memory.flush()

    def forget(self, stream: ResidentStream[Memory]) -> None:
        self._streams.discard(stream)

    def _in_lane(self, work: Callable[[], Result], priority: Priority) -> Result:
        with self.device_stream(priority):
            return work()


class ResidentStream(Generic[Memory]):
    """A `models.base.Stream` of an instance in this process; work runs on its thread."""

    def __init__(self, instance: ResidentInstance[Memory], memory: Memory) -> None:
        self._instance = instance
        self._memory: Memory | None = memory  # None once closed: caches are large
        self._guard = ExclusiveAccess()

    @property
    def memory(self) -> Memory:
        """Raises StreamClosed."""
        if self._memory is None:
            raise StreamClosed("the stream is closed")
        return self._memory

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        with self._guard.call("hear"):
            size = self._instance.model.hearing_piece
            for start in range(0, max(len(chunk), 1), size):
                piece = np.asarray(chunk[start : start + size], np.float32)
                verdict = await self._urgent(partial(self.memory.hear, piece))
            return await self._urgent(self.memory.flush) if last else verdict

    async def end_segment(self) -> None:
        with self._guard.call("end_segment"):
            await self._urgent(self.memory.end_segment)

    async def read(self, item: Item) -> None:
        with self._guard.call("read"):
            await self._instance.read_all(self.memory.reading(item))

    async def mark(self) -> Mark:
        with self._guard.call("mark"):
            return await self._urgent(self.memory.mark)

    async def rewind(self, mark: Mark) -> None:
        with self._guard.call("rewind"):
            await self._urgent(partial(self.memory.rewind, mark))

    async def answer(self, options: AnswerOptions) -> AsyncGenerator[AnswerPart, None]:
        with self._guard.call("answer"):
            instance = self._instance
            steps = _OnDeviceStream(
                instance.device_stream, instance.model.answer(self.memory, options)
            )
            async with (
                aclosing(instance.worker.iterate(steps)) as written,
                aclosing(self._voiced(written, options)) as parts,
            ):
                async for part in parts:
                    yield part

    def embedded(self) -> npt.NDArray[np.float32] | None:
        return self.memory.embedded()

    def room(self) -> int:
        return self.memory.room()

    async def close(self) -> None:
        if self._guard.close():
            self._instance.forget(self)
            self._memory = None

    async def _voiced(
        self, written: AsyncIterator[AnswerPart], options: AnswerOptions
    ) -> AsyncGenerator[AnswerPart, None]:
        synthesizer = self._instance.model.synthesizer
        if not options.speak or synthesizer is None:
            async for part in written:
                yield part
            return
        async with aclosing(spoken(written, synthesizer, options.speed)) as parts:
            async for part in parts:
                yield part

    async def _urgent(self, work: Callable[[], Result]) -> Result:
        return await self._instance.run(work, Priority.HEARING)


class _OnDeviceStream:
    """An answer's steps, each in the lane of its priority."""

    def __init__(self, device_stream: DeviceStream, steps: Steps[AnswerPart]) -> None:
        self._device_stream, self._steps = device_stream, steps

    @property
    def done(self) -> bool:
        return self._steps.done

    @property
    def priority(self) -> Priority:
        return self._steps.priority

    def step(self) -> list[AnswerPart]:
        with self._device_stream(self._steps.priority):
            return self._steps.step()
