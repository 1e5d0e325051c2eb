"""Instances over a model's engines.

engines = load(folder)
first, second = VllmInstance(engines, "0a"), VllmInstance(engines, "0b")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from models.base import (
    HEAR_CHUNK,
    AnswerOptions,
    Conversation,
    InstanceFailed,
    Item,
    Synthesizer,
    Tool,
)
from models.capabilities import Capabilities
from models.engines.cuda_graphs import prepare_process
from models.engines.cuda_streams import CudaStreams
from models.engines.jobs import Priority
from models.engines.vita_model import CAPACITY
from models.engines.vllm.engines import EngineOptions, Engines
from models.engines.vllm.frontend import ModelFrontend, open_frontend
from models.engines.vllm.input_validator import InputValidator
from models.engines.vllm.stream import VllmStream
from models.engines.worker import Worker
from models.vita.config import LANGUAGES, SECONDS_A_TOKEN
from models.vita.system_prompts import SystemPrompts

Result = TypeVar("Result")
STREAMS = 256  # open at once on one instance


def load(
    folder: Path,
    device: str = "auto",
    synthesizer: Synthesizer | None = None,
    *,
    pairs: int = 1,
    capacity: int = CAPACITY,
    prompts: SystemPrompts | None = None,
    **options: Any,
) -> Engines:
    """Start the engines of nano's folder or of a VITA checkpoint. `device`: "auto", "cpu", "cuda",
    or GPUs as in "cuda:0,cuda:1"; `capacity` (tokens of one stream) and `prompts` (in place of the
    trained ones) are for VITA; `options` are those of EngineOptions.

    Raises CheckpointRefused, BadBundle, and whatever vLLM says when it cannot start.
    """
    devices = _devices(device)
    beside = torch.device(devices[0])
    if beside.type == "cuda":
        prepare_process()
    frontend = open_frontend(folder, beside, synthesizer, capacity, prompts)
    return Engines(frontend, EngineOptions(devices=devices, **options), pairs)


def _devices(device: str) -> tuple[str, ...]:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    names = tuple(name.strip() for name in device.split(","))
    return tuple("cuda:0" if name == "cuda" else name for name in names)


class VllmInstance:
    """A models.base.Instance: a role on an engine, which in the topology `single` both instances of
    a pair share. The last letter of `name` tells the two of a pair apart."""

    def __init__(self, engines: Engines, name: str = "0a") -> None:
        self.name, self._engines = name, engines
        engines.join(name)
        self._worker = Worker(name)
        self._device_stream = CudaStreams(torch.device(engines.options.devices[0])).device_stream
        self._streams: set[VllmStream] = set()

    @property
    def frontend(self) -> ModelFrontend:
        return self._engines.frontend

    @property
    def validator(self) -> InputValidator:
        return self._engines.validator

    @property
    def is_up(self) -> bool:
        return self._worker.is_up and self._engines.mine(self.name).is_up

    def capacity(self) -> int:
        return self.validator.capacity

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            pictures=self.frontend.sees,
            context=self.capacity(),
            longest_sound=self.capacity() // 2 * SECONDS_A_TOKEN,
            languages=LANGUAGES,
            is_streamed=self.frontend.is_streamed,
            frames=self.frontend.frames_read,
        )

    def fitted(self, item: Item) -> Item:
        """See models.capabilities.Measuring."""
        return self.frontend.grammar.fitted(item)

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """See models.capabilities.Measuring."""
        return self.frontend.grammar.num_fitting(tools)

    async def open(self, conversation: Conversation) -> VllmStream:
        """Raises InstanceFailed, OutOfRoom."""
        if len(self._streams) >= STREAMS:
            raise InstanceFailed(f"all {STREAMS} streams are taken")
        stream = VllmStream(self, *self._engines.living(self.name))
        self._streams.add(stream)
        try:
            await stream.begin(conversation)
        except BaseException:
            await stream.close()
            raise
        return stream

    async def warm_up(self) -> None:
        """Run everything once, so that the first caller does not wait for first touches."""
        stream = await self.open(Conversation())
        await stream.hear(np.zeros(4 * HEAR_CHUNK, np.float32), last=True)
        async with aclosing(stream.answer(AnswerOptions(max_tokens=8))) as parts:
            async for _ in parts:
                pass
        await stream.close()

    async def close(self) -> None:
        """The engine ends with the last instance of its model."""
        for stream in list(self._streams):
            await stream.close()
        self._worker.close()
        await self._engines.leave(self.name)

    def forget(self, stream: VllmStream) -> None:
        self._streams.discard(stream)

    async def run(self, work: Callable[[], Result], priority: Priority) -> Result:
        """On the instance's thread, in the lane of its priority."""
        return await self._worker.run(partial(self._in_lane, work, priority), priority)

    def _in_lane(self, work: Callable[[], Result], priority: Priority) -> Result:
        with self._device_stream(priority):
            return work()
