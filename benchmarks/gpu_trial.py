"""One prepared run on a GPU, in stages: `python -m benchmarks.gpu_trial --output FOLDER`.

VITA-1.5 at real size with weights drawn on the device; nothing is downloaded. GPU time is short, so
every stage has a budget of seconds, the result file is written anew behind each, and a stage that
fails or takes too long is recorded and the next one goes on. Without a GPU the run has tiny size on
the CPU: that shows that it works, not how fast anything is.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import traceback
from pathlib import Path
from typing import Annotated, Any

import orjson
import torch
import typer
from rich.console import Console

from benchmarks.gpu_model import Size
from benchmarks.gpu_stages import STAGES, Setting, Stage
from benchmarks.machine import commit, machine

RESULT, PICTURE = "gpu.json", "gpu.png"
GRACE = 20.0  # seconds beyond the whole time until a run that hangs is ended
_JSON = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
CLOSING = 5.0  # seconds that are kept for the picture


class GpuTrial:
    """Runs stages and keeps what they found. `seconds` is the time of all of them."""

    def __init__(self, folder: Path, seconds: float, console: Console) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.found: dict[str, Any] = {}
        self._folder, self._seconds, self._console = folder, seconds, console
        self._began = time.monotonic()

    @property
    def left(self) -> float:
        return self._seconds - (time.monotonic() - self._began)

    def keep(self, name: str, value: Any) -> None:
        """Record what was found, and write the file."""
        self.found[name] = value
        self.found["seconds"] = round(self._seconds - self.left, 1)
        content = orjson.dumps(self.found, default=str, option=_JSON)
        (self._folder / RESULT).write_bytes(content)
        said = orjson.dumps(value, default=str, option=_JSON).decode()
        line = f"{self.found['seconds']:7.1f} s  {name}: {' '.join(said.split())[:300]}"
        self._console.print(line, markup=False, highlight=False)

    async def run(self, stage: Stage, setting: Setting) -> None:
        """One stage, within its budget and the time that is left."""
        budget = min(stage.seconds, self.left - CLOSING)
        if budget < stage.least:
            self.keep(stage.name, {"skipped": f"{max(0.0, self.left):.0f} s are left"})
            return
        began = time.monotonic()
        try:
            async with asyncio.timeout(budget):
                found = await stage.work(setting, lambda part: self.keep(stage.name, part))
        except TimeoutError:
            self._broken(stage, f"not done within {budget:.0f} s")
            await setting.renew()
        except Exception:
            self._broken(stage, traceback.format_exc()[-1_200:])
            await setting.renew()
        else:
            self.keep(stage.name, found | {"took_s": round(time.monotonic() - began, 2)})

    def _broken(self, stage: Stage, reason: str) -> None:
        """What a stage had kept before it failed stays."""
        before = self.found.get(stage.name)
        kept = before if isinstance(before, dict) else {}
        self.keep(stage.name, kept | {"failed": reason})

    def draw(self) -> None:
        """The picture; one that cannot be drawn is recorded too."""
        try:
            from benchmarks.plots import plot_gpu

            plot_gpu(self.found, self._folder / PICTURE)
        except Exception:
            self.keep("picture", {"failed": traceback.format_exc()[-600:]})


async def measure(trial: GpuTrial, setting: Setting, only: tuple[str, ...] = ()) -> None:
    """All stages in order, or those that are named."""
    for stage in STAGES:
        if not only or stage.name in only:
            await trial.run(stage, setting)
    await setting.close()


def command(
    output: Annotated[Path, typer.Option(help="Folder for gpu.json and gpu.png.")],
    size: Annotated[str, typer.Option(help="real or tiny; by default real on a GPU.")] = "",
    seconds: Annotated[float, typer.Option(min=5, help="For all stages together.")] = 360,
    trials: Annotated[int, typer.Option(min=1)] = 40,
    sessions: Annotated[int, typer.Option(min=1, help="Where the capacity curve ends.")] = 64,
    stage: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
) -> None:
    """Run the stages on the GPU that is there, or at tiny size on the CPU."""
    cuda = torch.cuda.is_available()
    chosen: Size = "real" if size == "real" or (not size and cuda) else "tiny"
    trial = GpuTrial(output, seconds, Console())
    _end_a_run_that_hangs(seconds + GRACE)
    trial.keep("run", description(chosen, cuda))
    setting = Setting(chosen, "cuda" if cuda else "cpu", trials, sessions)
    asyncio.run(measure(trial, setting, tuple(stage or ())))
    trial.draw()


def description(size: Size, cuda: bool) -> dict[str, Any]:
    """What is measured, and where."""
    note = {} if cuda else {"note": "no GPU: tiny size on the CPU; the GPU figures are missing"}
    return {"commit": commit(), "size": size, "weights": "random", **machine(), **note}


def _end_a_run_that_hangs(seconds: float) -> None:
    """What was found is in the file already; a thread that waits for a device cannot be ended."""
    timer = threading.Timer(seconds, os._exit, (3,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    typer.run(command)
