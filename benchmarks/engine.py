"""The embedded engine alone on one core, model and voice: `python -m benchmarks.engine`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.console import Console

from audio.frame import Samples
from benchmarks.machine import header
from benchmarks.material import at_level
from benchmarks.percentiles import percentile
from models.base import HEAR_CHUNK, SPEAK_RATE, AnswerOptions, Conversation, Stream
from models.engines.embedded import EmbeddedInstance, load
from models.training.synthesis import speak
from models.training.voices import RESERVED_VARIANTS, Voice
from server.config import ServerSettings

QUESTIONS = (
    "what is the capital of france", "tell me a story", "what is twelve plus thirty",
    "who are you", "a large latte with oat milk please", "what colour is grass",
    "why is the sky blue", "how many days are in a week", "what can you do", "count to ten",
)  # fmt: skip
LEVEL = -23.0  # dBFS
FIRST_SOUND = SPEAK_RATE // 10  # samples
SHORTEST = SPEAK_RATE  # samples of an answer whose real-time factor counts


@dataclass(slots=True)
class EngineTimes:
    """Seconds: each chunk heard, from the last chunk to 100 ms of sound, and of speaking for each
    second of sound."""

    heard: list[float] = field(default_factory=list)
    first_sound: list[float] = field(default_factory=list)
    factor: list[float] = field(default_factory=list)


async def measure(
    instance: EmbeddedInstance, sounds: Sequence[Samples], rounds: int
) -> EngineTimes:
    """Every question in a stream of its own, one after the other."""
    times = EngineTimes()
    for number in range(rounds):
        for sound in sounds:
            stream = await instance.open(Conversation())
            await _answered(stream, sound, times, number)
            await stream.close()
    return times


async def _answered(stream: Stream, sound: Samples, times: EngineTimes, seed: int) -> None:
    chunks = [sound[at : at + HEAR_CHUNK] for at in range(0, len(sound), HEAR_CHUNK)]
    for chunk in chunks[:-1]:
        before = perf_counter()
        await stream.hear(chunk)
        times.heard.append(perf_counter() - before)
    asked, made, first = perf_counter(), 0, 0.0
    await stream.hear(chunks[-1], last=True)
    async with aclosing(stream.answer(AnswerOptions(seed=seed))) as parts:  # type: ignore[type-var]
        async for part in parts:
            samples = getattr(part, "samples", None)
            made += 0 if samples is None else len(samples)
            if made >= FIRST_SOUND and not first:
                first = perf_counter() - asked
    if first:
        times.first_sound.append(first)
    if made >= SHORTEST:
        times.factor.append((perf_counter() - asked) * SPEAK_RATE / made)


def figures(times: EngineTimes) -> dict[str, Any]:
    """p50 and p95 with their counts; milliseconds but for the factor."""
    found: dict[str, Any] = {}
    for name, values, unit in (
        ("chunk_heard_ms", times.heard, 1000),
        ("first_sound_ms", times.first_sound, 1000),
        ("speaking_factor", times.factor, 1),
    ):
        shares = {f"p{share}": (percentile(values, share) or 0) / 1000 for share in (50, 95)}
        found[name] = {"count": len(values)} | {p: v * unit for p, v in shares.items()}
    return found


def command(
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    output: Annotated[Path | None, typer.Option(help="Write JSON here.")] = None,
) -> None:
    """Time the three things that a caller waits for, on one core; nothing else should run."""
    settings = ServerSettings()
    available = sorted(os.sched_getaffinity(0))
    top = header(cores_used=1)
    os.sched_setaffinity(0, available[-1:])
    voice = Voice("espeak", RESERVED_VARIANTS[0], "en-us")
    sounds = [at_level(speak(text, voice).samples, LEVEL) for text in QUESTIONS]
    instance = EmbeddedInstance(load(settings.model))
    found = top | figures(asyncio.run(_warm(instance, sounds, rounds)))
    Console().print_json(data=found)
    if output is not None:
        output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


async def _warm(instance: EmbeddedInstance, sounds: Sequence[Samples], rounds: int) -> EngineTimes:
    await instance.warm_up()
    silence = np.zeros(HEAR_CHUNK, np.float32)
    times = await measure(instance, [np.concatenate((s, silence)) for s in sounds], rounds)
    await instance.close()
    return times


if __name__ == "__main__":
    typer.run(command)
