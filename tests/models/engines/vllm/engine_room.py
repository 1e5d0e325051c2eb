"""Engines for tests: started once for the whole run. Only where vLLM is installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from models.base import AnswerChunk, AnswerOptions, FunctionCall, Samples, Stream
from models.engines.vllm.engines import Engines
from models.engines.vllm.instance import VllmInstance, load

ROOT = Path(__file__).resolve().parents[4]
NANO, CLIPS = ROOT / "models" / "nano", ROOT / "tests" / "data" / "audio"
CACHE = 64  # MiB of keys and values


@asynccontextmanager
async def running(folder: Path, **options: Any) -> AsyncIterator[Engines]:
    """Engines on the CPU that outlive the instances of single tests."""
    given = {"cache_mebibytes": CACHE, "sequences": 16} | options
    engines = await asyncio.to_thread(lambda: load(folder, "cpu", **given))
    engines.join("the tests")
    try:
        yield engines
    finally:
        await engines.leave("the tests")


@asynccontextmanager
async def instances_of(engines: Engines) -> AsyncIterator[tuple[VllmInstance, VllmInstance]]:
    pair = VllmInstance(engines, "0a"), VllmInstance(engines, "0b")
    try:
        yield pair
    finally:
        for instance in pair:
            await instance.close()


def clip(name: str) -> Samples:
    """A committed recording, [n] at 16 kHz."""
    samples, _ = soundfile.read(CLIPS / f"{name}.flac", dtype="float32")
    return np.asarray(samples, np.float32)


async def words_of(stream: Stream, **options: Any) -> tuple[str, list[FunctionCall]]:
    """An answer without sound: its text and its calls."""
    text, calls = "", []
    async for part in stream.answer(AnswerOptions(**{"max_tokens": 32, "speak": False} | options)):
        if isinstance(part, AnswerChunk):
            text += part.text
        else:
            calls.append(part)
    return text, calls
