"""Ten minutes of nano's training on a GPU machine without a network: `python -m
benchmarks.gpu_training`.

The material and the checkpoints were made elsewhere and came packed (`benchmarks.gpu_pack
training`); the weights go back packed. `instruct` and `listen` run one after the other, each with
its share of the time, at the batch size of a GPU.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import torch
import typer

from benchmarks.gpu_pack import run_files
from benchmarks.machine import commit, machine
from benchmarks.packing import pack
from models.training.learning import instruct, listen
from models.training.options import BATCH, TOKENIZER

REPORT: Final = "gpu-training.json"
WRITTEN_SHARE: Final = 0.4  # of the time, for instruct
GPU_BATCH: Final = 16 * BATCH


def command(
    run: Annotated[Path, typer.Option(help="The unpacked run folder.")] = Path("runs"),
    back: Annotated[Path, typer.Option(help="An empty folder for the packed weights.")] = Path(
        "back"
    ),
    minutes: Annotated[float, typer.Option(help="For both stages together.")] = 10,
    batch: Annotated[int, typer.Option(min=100, help="Places in a batch.")] = GPU_BATCH,
    begin: Annotated[str, typer.Option(help="The checkpoint to go on from.")] = "listening",
) -> None:
    """Train both stages and pack what they wrote; the report is written behind each."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found: dict[str, Any] = {"commit": commit(), "device": device, "batch": batch, **machine()}
    common: dict[str, Any] = {"device": device, "folder": run, "batch": batch}
    began = time.monotonic()
    instruct(WRITTEN_SHARE * minutes, begin=begin, tokenizer=TOKENIZER, **common)
    _report(run, found, "instruct", time.monotonic() - began)
    began = time.monotonic()
    listen(ears=begin, minutes=(1 - WRITTEN_SHARE) * minutes, tokenizer=TOKENIZER, **common)
    _report(run, found, "listen", time.monotonic() - began)
    pack(run_files(run, material=False), back)


def _report(run: Path, found: dict[str, Any], stage: str, seconds: float) -> None:
    found[f"{stage}_s"] = round(seconds, 1)
    (run / REPORT).write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    typer.run(command)
