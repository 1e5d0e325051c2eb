"""VITA-1.5 at real size on one GPU, with random weights: `python -m benchmarks.gpu`.

Without a GPU it runs at tiny size on the CPU: that shows that it works, not how fast anything is.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import orjson
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import gpu_trials
from benchmarks.gpu_model import Size, random_weights
from benchmarks.machine import header
from models.engines.pytorch import PytorchInstance

NOTE = "no GPU: tiny size on the CPU; the GPU figures are missing"
GOALS = {
    "second instance, share of the weights": 0.10,
    "first sound p95, ms": 120.0,
    "first sound with endpointing p95, ms": 300.0,
    "inter-token latency, monitored to alone": 1.10,
}


async def measure(size: Size, device: str, trials: int, most: int) -> dict[str, Any]:
    """All figures, as they go into the result file."""
    weights = random_weights(size, device)
    pair = PytorchInstance(weights, "first"), PytorchInstance(weights, "second")
    found: dict[str, Any] = {"memory": await gpu_trials.memory(weights, pair)}
    found["answer"] = await gpu_trials.answers(pair[0], trials)
    found["inter_token"] = await gpu_trials.disturbed(pair, max(1, trials // 10))
    found |= await gpu_trials.swaps(pair, trials)
    found["capacity"] = await gpu_trials.capacity(pair, most)
    for instance in pair:
        await instance.close()
    return found


def command(
    size: Annotated[str, typer.Option(help="real or tiny; by default real on a GPU.")] = "",
    trials: Annotated[int, typer.Option(min=1)] = 100,
    sessions: Annotated[int, typer.Option(min=1, help="Where the capacity curve ends.")] = 64,
    output: Annotated[Path | None, typer.Option(help="Write JSON here.")] = None,
) -> None:
    """Measure memory, stages of an answer, disturbance, swap, stop, speech and capacity."""
    cuda = torch.cuda.is_available()
    chosen: Size = "real" if size == "real" or (not size and cuda) else "tiny"
    device = "cuda" if cuda else "cpu"
    more = {"size": chosen, "device": torch.cuda.get_device_name() if cuda else "cpu"}
    note = {} if cuda else {"note": NOTE}
    found = header(**more, **note) | asyncio.run(measure(chosen, device, trials, sessions))
    if output is not None:
        output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    show(found, Console())


def reached(found: dict[str, Any]) -> dict[str, float]:
    """The figures that have a goal."""
    answer = found["answer"]
    with_endpointing = answer["first_sound_with_endpointing_p95_ms"]
    return {
        "second instance, share of the weights": found["memory"]["second_share_of_weights"],
        "first sound p95, ms": with_endpointing - gpu_trials.ENDPOINTING_MS,
        "first sound with endpointing p95, ms": with_endpointing,
        "inter-token latency, monitored to alone": found["inter_token"]["ratio"],
    }


def show(found: dict[str, Any], console: Console) -> None:
    table = Table("figure", "measured", "goal", title=f"{found['size']} size on {found['device']}")
    for name, value in reached(found).items():
        table.add_row(name, f"{value:.3g}", f"{GOALS[name]:g}")
    stages = {**found["answer"], "swap": found["swap"], "stop": found["barge_in_stop"]}
    for name, value in stages.items():
        if isinstance(value, dict):
            table.add_row(f"{name}, p50 ms", f"{value['p50_ms']:.1f}", "")
    factor = found["answer"]["speech_real_time_factor"]
    table.add_row("speech, real-time factor", f"{factor:.2f}", "")
    table.add_row("sessions within 300 ms", str(_most(found["capacity"])), "")
    console.print(table)
    if "note" in found:
        console.print(found["note"], style="yellow")


def _most(curve: list[dict[str, Any]]) -> int:
    within = [p["sessions"] for p in curve if p["first_sound_p95_ms"] <= gpu_trials.BUDGET_MS]
    return max(within, default=0)


if __name__ == "__main__":
    typer.run(command)
