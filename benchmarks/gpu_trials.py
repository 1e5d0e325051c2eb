"""What one GPU (or this CPU) takes for each step of a duplex conversation.

Times are wall-clock, from the caller's side of models.base: thread hand-over and copies included.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import numpy as np
import torch

from benchmarks.percentiles import distribution, percentile
from models.base import SPEAK_RATE, AnswerChunk, AnswerOptions, AnswerPart, Conversation, Samples
from models.engines.memory import PromptMemory
from models.engines.pytorch import PytorchInstance
from models.engines.resident import ResidentStream
from models.engines.vita_model import VitaDecoder, VitaWeights
from models.engines.vita_segment import VERDICT_EVERY

Stream: TypeAlias = ResidentStream[PromptMemory]
QUERY_SECONDS = 3.0
WRITE = AnswerOptions(speak=False, max_tokens=96)
BUDGET_MS = 300.0  # of a response, where capacity ends
ENDPOINTING_MS = 160.0  # what the system adds by default before it believes a pause


def sound(seconds: float, seed: int = 0) -> Samples:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(round(seconds * 16_000))).astype(np.float32)


async def memory(
    weights: VitaWeights, pair: tuple[PytorchInstance, PytorchInstance]
) -> dict[str, Any]:
    """Bytes of the weights, of what an open stream adds, and of what a second instance adds."""

    def held() -> int:
        gc.collect()
        return torch.cuda.memory_allocated() if weights.device.type == "cuda" else 0

    marks = [held()]
    for instance in pair:
        await instance.warm_up()
        marks.append(held())
    stream = await pair[0].open(Conversation())
    await listened(stream, sound(QUERY_SECONDS))
    cache = cast(VitaDecoder, stream.memory.cache.decoder).line.buffers.bytes
    await stream.close()
    second = marks[2] - marks[1]
    return {
        "weights": weights.bytes,
        "cache_of_a_stream": cache,
        "first_instance_adds": marks[1] - marks[0],
        "second_instance_adds": second,
        "second_share_of_weights": second / weights.bytes,
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
    found: dict[str, Any] = {name: distribution(times) for name, times in stages.items()}
    first_sound = percentile(stages["first_sound"], 95)
    return found | {
        "speech_real_time_factor": float(np.median(factors)),
        "first_sound_with_endpointing_p95_ms": (first_sound or 0.0) + ENDPOINTING_MS,
    }


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


async def disturbed(pair: tuple[PytorchInstance, PytorchInstance], trials: int) -> dict[str, Any]:
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
    ratio = float(np.median(together) / np.median(alone))
    return {"alone": distribution(alone), "monitored": distribution(together), "ratio": ratio}


async def _hear_on(stream: Stream) -> None:
    """Talk at playing speed, for ever."""
    step = VERDICT_EVERY / 16_000
    while True:
        began = time.perf_counter()
        await stream.hear(sound(step))
        await asyncio.sleep(max(0.0, step - (time.perf_counter() - began)))


async def swaps(pair: tuple[PytorchInstance, PytorchInstance], trials: int) -> dict[str, Any]:
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
    return {"swap": distribution(swap), "barge_in_stop": distribution(stop)}


async def capacity(
    pair: tuple[PytorchInstance, PytorchInstance], most: int
) -> list[dict[str, Any]]:
    """Sessions at once, doubled until the 95th percentile of the first sound, endpointing
    included, is over the budget."""
    curve: list[dict[str, Any]] = []
    count = 1
    while count <= most:
        sessions = [_session(pair[i % 2], i / count) for i in range(count)]
        times = [t for each in await asyncio.gather(*sessions) for t in each]
        p95 = (percentile(times, 95) or 0.0) + ENDPOINTING_MS
        curve.append({"sessions": count, "first_sound_p95_ms": p95, "turns": len(times)})
        if p95 > BUDGET_MS:
            break
        count *= 2
    return curve


async def _session(instance: PytorchInstance, delay: float, turns: int = 2) -> list[float]:
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
