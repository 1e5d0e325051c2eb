"""Instances and detectors that are timed as they work; nothing else changes.

The figures are those of the caller: time in a queue of the engine counts as well.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
from prometheus_client import Counter, Gauge

from models.base import (
    HEAR_CHUNK,
    HEAR_RATE,
    SPEAK_RATE,
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    Conversation,
    Instance,
    InstanceFailed,
    Item,
    Mark,
    Samples,
    SpeakerEncoder,
    Stream,
    Tool,
    Verdict,
    VoiceActivityDetector,
    VoicePrint,
)
from models.capabilities import (
    Capabilities,
    Measuring,
    capabilities_of,
    is_up,
)
from server.metrics import Metrics

# A caller that stays away for so long rests, and the engine works ahead of it (seconds).
RESTING = 0.1


class MeteredInstance:
    """A models.base.Instance, timed. While it is down its streams are opened on `fellow`, the other
    one of its pair: so a session moves to the healthy instance with its next stream."""

    def __init__(
        self, instance: Instance, metrics: Metrics, fellow: Instance | None = None
    ) -> None:
        self.name = instance.name
        self._instance, self._fellow = instance, fellow
        self._metrics = metrics
        metrics.instances_up.labels(self.name).set_function(lambda: self.is_up)

    async def open(self, conversation: Conversation) -> Stream:
        instance = self._instance
        if self._fellow is not None and not is_up(instance) and is_up(self._fellow):
            instance = self._fellow
        with _counted(self._metrics.failed_work.labels(instance.name)):
            stream = await instance.open(conversation)
        return MeteredStream(stream, instance.name, self._metrics)

    @property
    def is_up(self) -> bool:
        return is_up(self._instance)

    def capacity(self) -> int:
        return self._instance.capacity()

    @property
    def capabilities(self) -> Capabilities:
        return capabilities_of(self._instance)

    def fitted(self, item: Item) -> Item:
        """See models.capabilities.Measuring."""
        return self._instance.fitted(item) if isinstance(self._instance, Measuring) else item

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """See models.capabilities.Measuring."""
        if isinstance(self._instance, Measuring):
            return self._instance.num_fitting(tools)
        return len(tools)

    async def close(self) -> None:
        await self._instance.close()


class MeteredStream:
    """A models.base.Stream, timed."""

    def __init__(self, stream: Stream, name: str, metrics: Metrics) -> None:
        self._stream = stream
        self._hearing = metrics.model_rtf.labels(name, "hearing")
        self._answering = metrics.model_rtf.labels(name, "answering")
        self._failures = metrics.failed_work.labels(name)
        self._stages = metrics.answer_stages
        self._open: Gauge | None = metrics.open_streams.labels(name)
        self._open.inc()
        self._taken, self._heard = 0.0, 0  # since the last observation

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        began = time.perf_counter()
        with _counted(self._failures):
            verdict = await self._stream.hear(chunk, last=last)
        self._note_hearing(time.perf_counter() - began, len(chunk))
        return verdict

    def _note_hearing(self, taken: float, samples: int) -> None:
        """Work is done a whole encoder chunk at a time, whatever the pieces that fill it."""
        self._taken += taken
        self._heard += samples
        if self._heard >= HEAR_CHUNK:
            self._hearing.observe(self._taken * HEAR_RATE / self._heard)
            self._taken, self._heard = 0.0, 0

    async def end_segment(self) -> None:
        with _counted(self._failures):
            await self._stream.end_segment()

    async def read(self, item: Item) -> None:
        with _counted(self._failures):
            await self._stream.read(item)

    async def mark(self) -> Mark:
        with _counted(self._failures):
            return await self._stream.mark()

    async def rewind(self, mark: Mark) -> None:
        with _counted(self._failures):
            await self._stream.rewind(mark)

    async def answer(self, options: AnswerOptions) -> AsyncIterator[AnswerPart]:
        parts = self._stream.answer(options)
        try:
            began, has_rested = time.perf_counter(), False
            with _counted(self._failures):
                async for part in parts:
                    given = time.perf_counter()
                    self._note_times(part)
                    if not has_rested:  # from the first rest on, nobody waits for what is made
                        self._note(part, given - began)
                    yield part
                    began = time.perf_counter()
                    has_rested = has_rested or began - given > RESTING
        finally:
            # Closing this iterator must stop the generation, as closing the other would.
            close = getattr(parts, "aclose", None)
            if close is not None:
                await close()

    def _note(self, part: AnswerPart, taken: float) -> None:
        if isinstance(part, AnswerChunk) and part.samples is not None and len(part.samples):
            self._answering.observe(taken * SPEAK_RATE / len(part.samples))

    def _note_times(self, part: AnswerPart) -> None:
        if isinstance(part, AnswerChunk) and part.times is not None:
            for stage, seconds in asdict(part.times).items():
                self._stages.labels(stage).observe(seconds)

    def embedded(self) -> npt.NDArray[np.float32] | None:
        return self._stream.embedded()

    def room(self) -> int:
        return self._stream.room()

    async def close(self) -> None:
        if self._open is not None:
            self._open.dec()
            self._open = None
        await self._stream.close()


@contextmanager
def _counted(failures: Counter) -> Iterator[None]:
    """Count a piece of work on which its instance failed."""
    try:
        yield
    except InstanceFailed:
        failures.inc()
        raise


class MeteredSpeakerEncoder:
    """A models.base.SpeakerEncoder, timed."""

    def __init__(self, encoder: SpeakerEncoder, metrics: Metrics) -> None:
        self._encoder = encoder
        self._comparing = metrics.model_rtf.labels("speaker", "embedding")

    async def embed(self, voiced: Samples) -> VoicePrint:
        began = time.perf_counter()
        found = await self._encoder.embed(voiced)
        taken = time.perf_counter() - began
        self._comparing.observe(taken * HEAR_RATE / len(voiced))
        return found

    def likeness(self, known: VoicePrint, heard: VoicePrint) -> float:
        return self._encoder.likeness(known, heard)


class MeteredDetector:
    """A models.base.VoiceActivityDetector, timed."""

    def __init__(self, detector: VoiceActivityDetector, metrics: Metrics) -> None:
        self.window = detector.window
        self._detector = detector
        self._detecting = metrics.model_rtf.labels("vad", "detecting")

    async def detect(self, samples: Samples) -> Sequence[float]:
        began = time.perf_counter()
        found = await self._detector.detect(samples)
        if found:
            taken = time.perf_counter() - began
            self._detecting.observe(taken * HEAR_RATE / (len(found) * self.window))
        return found

    def reset(self) -> None:
        self._detector.reset()
