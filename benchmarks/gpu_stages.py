"""What a GPU trial measures, stage by stage; each has a budget of seconds."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from benchmarks import gpu_measures
from benchmarks.gpu_model import Size, random_weights
from benchmarks.gpu_nano import random_nano
from models.base import SPARE_STREAMS, InstanceFailed
from models.engines.cuda_graphs import prepare_process
from models.engines.pytorch import PytorchInstance
from models.engines.vita_model import VitaWeights

ROOT = Path(__file__).resolve().parent.parent
BUDGET_MS: Final = 300.0  # of a response; there the capacity curve ends
ENDPOINTING_MS: Final = 160.0  # that the server adds before it believes a pause
PREPARED: Final = 16  # conversations of an instance whose steps are graphs
LONG: Final = 32_768
NEW_SHAPES: Final = 12

Found: TypeAlias = dict[str, Any]
Keep: TypeAlias = Callable[[Found], None]  # writes what a stage has so far


class Setting:
    """What the stages share: the weights, and a pair of instances over them."""

    def __init__(self, size: Size, device: str, trials: int, sessions: int) -> None:
        self.size: Size = size
        self.device, self.trials, self.sessions = device, trials, sessions
        self._weights: VitaWeights | None = None
        self._pair: gpu_measures.Pair | None = None

    @property
    def is_real(self) -> bool:
        return self.size == "real"

    @property
    def slots(self) -> int:
        return SPARE_STREAMS + (PREPARED if self.is_real else 1)

    @property
    def weights(self) -> VitaWeights:
        if self._weights is None:
            self._weights = random_weights(self.size, self.device, slots=self.slots)
        return self._weights

    @property
    def pair(self) -> gpu_measures.Pair:
        if self._pair is None:
            self._pair = (
                PytorchInstance(self.weights, "first"),
                PytorchInstance(self.weights, "second"),
            )
        return self._pair

    async def renew(self) -> None:
        """A stage has failed: the next ones have instances of their own."""
        await self.close()

    async def close(self) -> None:
        pair, self._pair = self._pair, None
        for instance in pair or ():
            try:
                async with asyncio.timeout(2):
                    await instance.close()
            except (TimeoutError, InstanceFailed):
                continue


@dataclass(frozen=True, slots=True)
class Stage:
    """`seconds` is its budget; with less than `least` it is not begun."""

    name: str
    seconds: float
    work: Callable[[Setting, Keep], Awaitable[Found]]
    least: float = 3.0


async def environment(setting: Setting, _: Keep) -> Found:
    """Versions, the device, and the order in which torch asks its attention back ends."""
    found: Found = {"torch": torch.__version__, "cuda": torch.version.cuda}
    if setting.device == "cuda":
        device = torch.cuda.get_device_properties(0)
        query = torch.randn(1, 4, 8, 64, device="cuda", dtype=torch.bfloat16)
        scaled_dot_product_attention(query, query, query)
        found |= {
            "device": device.name,
            "memory_gib": round(device.total_memory / 2**30, 1),
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "attention_order": [int(kind) for kind in torch._C._get_sdp_priority_order()],
        }
    return found


async def new_shapes(setting: Setting, _: Keep) -> Found:
    """Milliseconds of attention over lengths that were never seen before, by back end."""
    if setting.device != "cuda":
        return {"skipped": "no GPU"}
    kinds = {"cudnn": SDPBackend.CUDNN_ATTENTION, "efficient": SDPBackend.EFFICIENT_ATTENTION}
    found: Found = {}
    for name, kind in kinds.items():
        try:
            found[name] = [_attention_ms(kind, step) for step in range(NEW_SHAPES)]
        except RuntimeError as error:
            found[name] = str(error)[:200]
    return found


def _attention_ms(kind: SDPBackend, step: int) -> float:
    keys, rows = 300 + 7 * step, 30 + step
    queries = torch.randn(1, 28, rows, 128, device="cuda", dtype=torch.bfloat16)
    held = torch.randn(1, 28, keys, 128, device="cuda", dtype=torch.bfloat16)
    mask = queries.new_zeros(1, 1, rows, keys)
    torch.cuda.synchronize()
    began = time.perf_counter()
    with sdpa_kernel(kind):
        scaled_dot_product_attention(queries, held, held, attn_mask=mask)
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - began)


CAPTURES = """
import asyncio
from benchmarks.gpu_model import random_weights
from models.engines.pytorch import PytorchInstance

async def main():
    for _ in range({rounds}):
        weights = random_weights("tiny", "{device}", slots=2)
        pair = [PytorchInstance(weights, name) for name in "ab"]
        await asyncio.gather(*(instance.warm_up() for instance in pair))
        for instance in pair:
            await instance.close()
    print("both captured, {rounds} times")

asyncio.run(main())
"""


async def two_threads(setting: Setting, _: Keep) -> Found:
    """Two instances warm up at the same time, in a process of their own: a capture that goes wrong
    leaves a process that cannot be used."""
    rounds = 6 if setting.device == "cuda" else 1
    code = CAPTURES.format(rounds=rounds, device=setting.device)
    return await _child([sys.executable, "-c", code])


async def gpu_tests(setting: Setting, _: Keep) -> Found:
    """The tests that need a CUDA device."""
    if setting.device != "cuda":
        return {"skipped": "no GPU"}
    return await _child([
        sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider",
        "-o", "filterwarnings=default", "tests/models/engines",
    ])  # fmt: skip


async def _child(words: list[str]) -> Found:
    """A program in the repository: its exit status and the end of what it says."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}: {said.decode()[-700:]}")
    return {"said": said.decode()[-300:]}


async def model(setting: Setting, _: Keep) -> Found:
    """Weights are drawn on the device."""
    if setting.device == "cuda":
        prepare_process()
    began = time.perf_counter()
    weights = await asyncio.to_thread(lambda: setting.weights)
    if setting.device == "cuda":
        torch.cuda.synchronize()
    return {"drawn_s": time.perf_counter() - began, "bytes": weights.bytes}


async def memory(setting: Setting, _: Keep) -> Found:
    began = time.perf_counter()
    found = await gpu_measures.memory(setting.weights, setting.pair)
    return found | {"both_warm_s": time.perf_counter() - began}


async def answer(setting: Setting, _: Keep) -> Found:
    return await gpu_measures.answers(setting.pair[0], setting.trials)


async def between_tokens(setting: Setting, _: Keep) -> Found:
    return await gpu_measures.disturbed(setting.pair, max(1, setting.trials // 8))


async def swap(setting: Setting, _: Keep) -> Found:
    return await gpu_measures.swaps(setting.pair, max(1, setting.trials // 2))


async def capacity(setting: Setting, keep: Keep) -> Found:
    """Conversations at once, doubled until a response takes longer than it may."""
    curve = list[Found]()
    count = 1
    while count <= setting.sessions:
        curve.append(await gpu_measures.level(setting.pair, count))
        keep({"curve": curve})
        if curve[-1]["first_sound"]["p50_ms"] + ENDPOINTING_MS > 2 * BUDGET_MS:
            break
        count *= 2
    return {"curve": curve}


async def long_context(setting: Setting, _: Keep) -> Found:
    tokens = LONG if setting.is_real else 2_048
    return await gpu_measures.long_context(setting.weights, tokens, max(1, setting.trials // 8))


async def nano(setting: Setting, _: Keep) -> Found:
    """The bundled model's size on the pytorch engine, with random weights."""
    instance = PytorchInstance(random_nano(setting.device), "nano")
    await instance.warm_up()
    found = await gpu_measures.answers(instance, max(1, setting.trials // 4))
    await instance.close()
    return found


STAGES: Final = (
    Stage("environment", 20, environment),
    Stage("new_shapes", 20, new_shapes),
    Stage("two_threads", 60, two_threads, least=10),
    Stage("gpu_tests", 60, gpu_tests, least=10),
    Stage("model", 60, model),
    Stage("memory", 60, memory),
    Stage("answer", 60, answer),
    Stage("between_tokens", 40, between_tokens),
    Stage("swap", 30, swap),
    Stage("capacity", 80, capacity),
    Stage("long_context", 40, long_context),
    Stage("nano", 20, nano),
)
