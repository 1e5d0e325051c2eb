"""A run's stages as half-precision files, so that training can go on elsewhere.

A stage's checkpoint is a torch file in the run's folder; what is kept of it is one safetensors file
without optimiser state, small enough for a repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

STAGES = ("listening", "speech", "codec", "codec-mandarin")
LARGEST = 1e3
CONFIG = "config"  # metadata key: the model's configuration, where the stage carries one


def keep(run: Path, folder: Path) -> list[Path]:
    """Write each finished stage of `run` into `folder`; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for stage in STAGES:
        source = run / f"{stage}.pt"
        if source.exists():
            written.append(folder / f"{stage}.safetensors")
            _keep_stage(source, written[-1])
    return written


def restore(folder: Path, run: Path) -> list[Path]:
    """Write the kept stages back as checkpoints that training begins with; the files written."""
    run.mkdir(parents=True, exist_ok=True)
    written = []
    for stage in STAGES:
        source = folder / f"{stage}.safetensors"
        if source.exists():
            written.append(run / f"{stage}.pt")
            torch.save(_read_stage(source), written[-1])
    return written


def _keep_stage(source: Path, target: Path) -> None:
    stored = torch.load(source, weights_only=True)
    weights, metadata = stored, {}
    if "weights" in stored:
        weights, metadata = stored["weights"], {CONFIG: stored["config"]}
    save_file({key: _halve(tensor) for key, tensor in weights.items()}, target, metadata)


def _halve(tensor: Tensor) -> Tensor:
    """Weights lose their lower bits; sums and counts, which may be large, stay as they are."""
    is_weight = tensor.is_floating_point() and tensor.abs().amax() < LARGEST
    return tensor.half().contiguous() if is_weight else tensor.contiguous()


def _read_stage(source: Path) -> dict[str, Any]:
    with safe_open(source, framework="pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}
        metadata = file.metadata() or {}
    weights = {k: t.float() if t.is_floating_point() else t for k, t in weights.items()}
    return {"config": metadata[CONFIG], "weights": weights} if CONFIG in metadata else weights
