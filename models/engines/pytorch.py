"""models.engines: the pytorch engine: VITA-1.5 and VITA-1.0 folders on CPU or CUDA.

    weights = load(folder, "cuda")
    first, second = PytorchInstance(weights, "first"), PytorchInstance(weights, "second")

The weights are there once. An instance is a thread with its queue and its two CUDA streams; a
stream is a cache.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from models.base import (
    AnswerOptions,
    AnswerPart,
    Conversation,
    InstanceFailed,
    Item,
    Mark,
    Samples,
    Synthesizer,
    Verdict,
)
from models.engines.guard import CallGuard
from models.engines.lanes import Lanes
from models.engines.vita_answering import VitaAnswer
from models.engines.vita_memory import VERDICT_EVERY, VitaMemory
from models.engines.vita_speaking import SpeechLine, VitaVoice
from models.engines.vita_writing import VitaWriter
from models.engines.worker import Priority, Worker
from models.synthesizers.choice import spoken
from models.vita.checkpoint import TOKENIZER, Checkpoint
from models.vita.checkpoint import load as load_checkpoint
from models.vita.network import Vita
from models.vita.prompt import TEMPLATES, VitaPrompt
from models.vita.tensor_files import CheckpointRefused

Result = TypeVar("Result")
STREAMS = 64  # open at once on one instance: what bounds its queue
CAPACITY = 4_096  # tokens of one stream, unless the checkpoint has fewer positions


@dataclass(frozen=True, slots=True)
class Weights:
    """The one copy of a model, which any number of instances share."""

    model: Vita
    prompt: VitaPrompt
    device: torch.device
    capacity: int
    licence: str
    synthesizer: Synthesizer | None = None  # for a checkpoint without a speech decoder

    @property
    def bytes(self) -> int:
        held = {tensor.data_ptr(): tensor.nbytes for tensor in self.model.state_dict().values()}
        return sum(held.values())


def load(
    folder: Path,
    device: str = "auto",
    capacity: int = CAPACITY,
    synthesizer: Synthesizer | None = None,
) -> Weights:
    """Read a released or converted folder; bf16 on CUDA, float32 on the CPU.

    Raises models.vita.tensor_files.CheckpointRefused.
    """
    place = torch.device(_chosen(device))
    if place.type == "cpu":  # two instances, each with a thread of its own, share the cores
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
    return share(load_checkpoint(folder, dtype, place), capacity, synthesizer)


def share(
    checkpoint: Checkpoint, capacity: int = CAPACITY, synthesizer: Synthesizer | None = None
) -> Weights:
    """Weights from a checkpoint in memory. Raises CheckpointRefused where it cannot converse."""
    config = checkpoint.config
    if config.template not in TEMPLATES:
        raise CheckpointRefused(f"the {config.template} template belongs to the embedded engine")
    if checkpoint.tokenizer is None:
        raise CheckpointRefused(f"{TOKENIZER} is missing: without it there are no words")
    return Weights(
        model=checkpoint.model,
        prompt=VitaPrompt.read(checkpoint.tokenizer, TEMPLATES[config.template]),
        device=checkpoint.model.language.model.norm.weight.device,
        capacity=min(capacity, config.language.positions),
        licence=checkpoint.licence,
        synthesizer=synthesizer,
    )


def _chosen(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


class PytorchInstance:
    """A models.base.Instance over weights that others may share."""

    def __init__(self, weights: Weights, name: str = "pytorch") -> None:
        self.name = name
        self.weights = weights
        self.worker = Worker(name)
        self.lanes = Lanes(weights.device)
        self._streams: set[PytorchStream] = set()

    def capacity(self) -> int:
        return self.weights.capacity

    async def open(self, conversation: Conversation) -> PytorchStream:
        """Raises InstanceFailed, OutOfRoom."""
        if len(self._streams) >= STREAMS:
            raise InstanceFailed(f"all {STREAMS} streams are taken")
        memory, speech = await self.run(self._make, Priority.RUNNING)
        stream = PytorchStream(self, memory, speech)
        self._streams.add(stream)
        try:
            await self.read_all(stream.memory.begin(conversation))
        except BaseException:
            await stream.close()
            raise
        return stream

    def _make(self) -> tuple[VitaMemory, SpeechLine | None]:
        """All that a stream ever allocates; nothing is left for its first answer."""
        model = self.weights.model
        memory = VitaMemory(model, self.weights.prompt, self.capacity())
        return memory, None if model.speech is None else SpeechLine(model.speech)

    async def warm_up(self) -> None:
        """Run every network once, so that the first caller does not wait for first touches."""
        stream = await self.open(Conversation())
        await stream.hear(np.zeros(VERDICT_EVERY, np.float32), last=True)
        options = AnswerOptions(max_tokens=8)
        async with aclosing(stream.answer(options)) as parts:
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

    def forget(self, stream: PytorchStream) -> None:
        self._streams.discard(stream)

    def _in_lane(self, work: Callable[[], Result], priority: Priority) -> Result:
        with self.lanes.lane(priority):
            return work()


class PytorchStream:
    """A models.base.Stream: manners and awaiting; what it remembers is its VitaMemory."""

    def __init__(
        self, instance: PytorchInstance, memory: VitaMemory, speech: SpeechLine | None
    ) -> None:
        self._instance, self.memory, self._speech = instance, memory, speech
        self._guard = CallGuard()

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        with self._guard.call("hear"):
            for start in range(0, max(len(chunk), 1), VERDICT_EVERY):
                piece = np.asarray(chunk[start : start + VERDICT_EVERY], np.float32)
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
            steps = self._answer_steps(options)
            async with (
                aclosing(self._instance.worker.iterate(steps)) as written,
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

    async def _voiced(
        self, written: AsyncIterator[AnswerPart], options: AnswerOptions
    ) -> AsyncGenerator[AnswerPart, None]:
        weights = self._instance.weights
        if not options.speak or weights.model.speech is not None or weights.synthesizer is None:
            async for part in written:
                yield part
            return
        async with aclosing(spoken(written, weights.synthesizer)) as parts:
            async for part in parts:
                yield part

    def _answer_steps(self, options: AnswerOptions) -> VitaAnswer:
        weights = self._instance.weights
        writer = VitaWriter(weights.prompt, self.memory, options)
        voice = None
        if options.speak and self._speech is not None and weights.model.codec is not None:
            voice = VitaVoice(
                weights.model, weights.prompt, self._speech, weights.model.codec, options.seed
            )
        return VitaAnswer(self._instance.lanes, writer, voice)

    async def _urgent(self, work: Callable[[], Result]) -> Result:
        return await self._instance.run(work, Priority.HEARING)
