"""The pytorch engine: VITA-1.5 and VITA-1.0 folders and nano, on CPU or CUDA.

    weights = load(folder, "cuda")
    first, second = PytorchInstance(weights, "first"), PytorchInstance(weights, "second")

The weights are there once. An instance is a thread with its queue and its two CUDA streams; a
stream is a cache.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias

import torch

from models.base import Synthesizer
from models.engines.choice import engine_for
from models.engines.cuda_graphs import prepare_process
from models.engines.kv_cache import DEFAULT_SLOTS
from models.engines.nano_torch import TorchNano, load_nano
from models.engines.resident import ResidentInstance
from models.engines.vita_model import CAPACITY, VitaWeights
from models.vita.checkpoint import load as load_checkpoint
from models.vita.system_prompts import SystemPrompts

Weights: TypeAlias = VitaWeights | TorchNano


def load(
    folder: Path,
    device: str = "auto",
    capacity: int = CAPACITY,
    synthesizer: Synthesizer | None = None,
    prompts: SystemPrompts | None = None,
    slots: int = DEFAULT_SLOTS,
) -> Weights:
    """Read a released or converted VITA folder (bf16 on CUDA, float32 on the CPU), or nano's.

    For VITA: `capacity`, the tokens of one stream, and `prompts`, the operator's in place of the
    trained ones. `slots`: streams of one instance that are prepared when it warms up.
    Raises models.vita.tensor_files.CheckpointRefused, models.engines.bundle.BadBundle.
    """
    place = torch.device(_chosen(device))
    if place.type == "cpu":  # two instances, each with a thread of its own, share the cores
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    else:
        prepare_process()
    if engine_for(folder) == "embedded":
        return load_nano(folder, place, synthesizer, slots)
    dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
    checkpoint = load_checkpoint(folder, dtype, place)
    return VitaWeights.of(checkpoint, capacity, synthesizer, prompts, slots)


def _chosen(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


class PytorchInstance(ResidentInstance[Any]):
    """A models.base.Instance over weights that others may share."""

    def __init__(self, weights: Weights, name: str = "pytorch") -> None:
        super().__init__(weights, name)
        self.weights = weights
