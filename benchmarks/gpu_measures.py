"""What one GPU (or this CPU) takes for each step of a duplex conversation.

Times are wall-clock, from the caller's side of models.base: thread hand-over and copies included.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeAlias, cast

import numpy as np
import torch

from benchmarks.gpu_model import WORDS
from benchmarks.percentiles import distribution
from models.base import (
    SPARE_STREAMS,
    SPEAK_RATE,
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    Conversation,
    Samples,
    UserText,
)
from models.engines.kv_cache import ThreadSlots
from models.engines.memory import PromptMemory
from models.engines.pytorch import PytorchInstance
from models.engines.resident import ResidentStream
from models.engines.speech_batcher import SpeechBatchers
from models.engines.vita_model import VitaWeights
from models.engines.vita_segment import VERDICT_EVERY
from models.vita.footprint import footprint

Stream: TypeAlias = ResidentStream[PromptMemory]
Pair: TypeAlias = tuple[PytorchInstance, PytorchInstance]
QUERY_SECONDS = 3.0
WRITE = AnswerOptions(speak=False, max_tokens=96)


def sound(seconds: float, seed: int = 0) -> Samples:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(round(seconds * 16_000))).astype(np.float32)


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """Percentiles in milliseconds, as far as the number of trials carries them, and the worst."""
    return distribution(seconds) | {"worst_ms": 1000 * max(seconds, default=0.0)}


def held(device: torch.device) -> int:
    """Bytes that torch has allocated on a GPU; on the CPU those of all tensors that live."""
    gc.collect()
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    plain = (torch.Tensor, torch.nn.Parameter)  # what an export leaves behind holds no memory
    tensors = (found for found in gc.get_objects() if type(found) in plain)
    storages = (each.untyped_storage() for each in tensors if each.device == device)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


async def memory(weights: VitaWeights, pair: Pair) -> dict[str, Any]:
    """Bytes of the weights, and of what each instance adds when it warms up (its caches with their
    graphs, its voices); beside them what `antiphon inspect` calculates from the sizes of the
    model for as many conversations."""
    need = footprint(weights.model.config, weights.capacity)
    marks = [held(weights.device)]
    for instance in pair:
        await instance.warm_up()
        marks.append(held(weights.device))
    second = marks[2] - marks[1]
    conversations = weights.slots.count - SPARE_STREAMS
    caches = need.instance(conversations)
    return {
        "conversations": conversations,
        "weights": weights.bytes,
        "first_instance_adds": marks[1] - marks[0],
        "second_instance_adds": second,
        "second_beside_caches_share_of_weights": max(0, second - caches) / weights.bytes,
        "calculated": {"weights": need.weights, "caches_of_an_instance": caches},
    }


async def listened(stream: Stream, samples: Samples) -> list[float]:
    """Hear all in verdict steps, the last flushed; seconds that each took."""
    taken = []
    for start in range(0, len(samples), VERDICT_EVERY):
        began = time.perf_counter()
        piece = samples[start : start + VERDICT_EVERY]
        await stream.hear(piece, last=start + VERDICT_EVERY >= len(samples))
        taken.append(time.perf_counter() - began)
    return taken


async def answers(instance: PytorchInstance, trials: int) -> dict[str, Any]:
    """A query of three seconds and its answer: each stage from the end of the query."""
    stages: dict[str, list[float]] = {
        name: []
        for name in ("opened", "heard", "verdict", "first_text", "first_sound", "speech_factor")
    }
    for trial in range(trials):
        began = time.perf_counter()
        stream = await instance.open(Conversation())
        stages["opened"].append(time.perf_counter() - began)
        samples = sound(QUERY_SECONDS, trial)
        stages["heard"] += await listened(stream, samples[:-VERDICT_EVERY])
        began = time.perf_counter()
        await stream.hear(samples[-VERDICT_EVERY:], last=True)
        stages["verdict"].append(time.perf_counter() - began)
        text, audible, factor = await answered(stream, began)
        stages["first_text"].append(text)
        stages["first_sound"].append(audible)
        stages["speech_factor"].append(factor)
        await stream.close()
    factors = stages.pop("speech_factor")
    found: dict[str, Any] = {name: spread(times) for name, times in stages.items()}
    return found | {"speech_real_time_factor": float(np.median(factors))}


async def answered(stream: Stream, began: float) -> tuple[float, float, float]:
    """Seconds to the first text and the first sound, and compute time over time of the sound."""
    text = audible = 0.0
    samples = 0
    started = time.perf_counter()
    options = AnswerOptions(max_tokens=24, seed=1)
    async with aclosing(stream.answer(options)) as parts:
        async for part in cast(AsyncIterator[AnswerPart], parts):
            now = time.perf_counter() - began
            if isinstance(part, AnswerChunk):
                text = text or (now if part.text else 0.0)
                if part.samples is not None and len(part.samples):
                    audible = audible or now
                    samples += len(part.samples)
    taken = time.perf_counter() - started
    return text, audible, taken * SPEAK_RATE / max(1, samples)


async def token_gaps(stream: Stream) -> list[float]:
    """Seconds between the texts of one written answer."""
    async with aclosing(stream.answer(WRITE)) as parts:
        times = [time.perf_counter() async for _ in parts]
    return list(np.diff(times))


async def disturbed(pair: Pair, trials: int) -> dict[str, Any]:
    """Inter-token latency of an answer alone, and while the other instance hears and judges."""
    alone: list[float] = []
    together: list[float] = []
    for trial in range(trials):
        for gaps, busy in ((alone, False), (together, True)):
            generator, monitor = [await instance.open(Conversation()) for instance in pair]
            await generator.hear(sound(1.0, trial), last=True)
            task = asyncio.create_task(_hear_on(monitor)) if busy else None
            gaps += await token_gaps(generator)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await generator.close()
            await monitor.close()
    return {"alone": spread(alone), "monitored": spread(together)}


async def _hear_on(stream: Stream) -> None:
    """Talk at playing speed, for ever."""
    step = VERDICT_EVERY / 16_000
    while True:
        began = time.perf_counter()
        await stream.hear(sound(step))
        await asyncio.sleep(max(0.0, step - (time.perf_counter() - began)))


async def swaps(pair: Pair, trials: int) -> dict[str, Any]:
    """Over a running answer: the monitor's verdict to its first word, and how long the old
    generator takes to stop."""
    swap: list[float] = []
    stop: list[float] = []
    for trial in range(trials):
        old, new = [await instance.open(Conversation()) for instance in pair]
        await old.hear(sound(1.0, trial), last=True)
        speaking = old.answer(AnswerOptions(max_tokens=400, seed=1))
        await anext(speaking)
        await new.hear(sound(1.0, trial + 1), last=True)
        began = time.perf_counter()
        first = new.answer(WRITE)
        stopping = asyncio.create_task(speaking.aclose())
        await anext(first)
        swap.append(time.perf_counter() - began)
        await stopping
        stop.append(time.perf_counter() - began)
        await first.aclose()
        await old.close()
        await new.close()
    return {"swap": spread(swap), "barge_in_stop": spread(stop)}


async def level(pair: Pair, sessions: int, turns: int = 1) -> dict[str, Any]:
    """First sound from the end of the query, with so many conversations at once on two
    instances."""
    each = [session(pair[i % 2], i / sessions, turns) for i in range(sessions)]
    times = [seconds for times in await asyncio.gather(*each) for seconds in times]
    return {"sessions": sessions, "turns": len(times), "first_sound": spread(times)}


async def long_context(weights: VitaWeights, tokens: int, trials: int) -> dict[str, Any]:
    """A verdict and the gaps between tokens behind so many tokens of text, on one instance with
    one cache of that size."""
    longer = replace(weights, capacity=tokens, slots=ThreadSlots(1), rooms=SpeechBatchers(1))
    instance = PytorchInstance(longer, "long")
    await instance.warm_up()
    stream = await instance.open(Conversation())
    while stream.room() > 1_024:
        await stream.read(UserText(" ".join(WORDS * 20)))
    mark, verdicts, gaps = await stream.mark(), list[float](), list[float]()
    for trial in range(trials):
        began = time.perf_counter()
        await stream.hear(sound(1.0, trial), last=True)
        verdicts.append(time.perf_counter() - began)
        gaps += await token_gaps(stream)
        await stream.rewind(mark)
    found = {"tokens": tokens - stream.room(), "verdict": spread(verdicts)}
    await instance.close()
    return found | {"between_tokens": spread(gaps)}


async def session(instance: PytorchInstance, delay: float, turns: int) -> list[float]:
    """Queries at playing speed, each followed by a whole spoken answer."""
    await asyncio.sleep(delay)
    stream = await instance.open(Conversation())
    times = []
    step = VERDICT_EVERY / 16_000
    for turn in range(turns):
        samples = sound(QUERY_SECONDS, turn)
        for start in range(0, len(samples) - VERDICT_EVERY, VERDICT_EVERY):
            began = time.perf_counter()
            await stream.hear(samples[start : start + VERDICT_EVERY])
            await asyncio.sleep(max(0.0, step - (time.perf_counter() - began)))
        began = time.perf_counter()
        await stream.hear(samples[-VERDICT_EVERY:], last=True)
        times.append((await answered(stream, began))[1])
    await stream.close()
    return times
