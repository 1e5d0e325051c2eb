"""The reference outputs beside the repository, where they are; tests that need them skip if not."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parents[4] / "shared" / "golden"
TINY = FOLDER / "vita15_tiny"
SPEECH = FOLDER / "vita_tts_tiny"

needs_golden = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the reference outputs (../shared/golden) are not on this machine"
)


def expected(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}_expected.safetensors")


def weights(prefix: str) -> dict[str, Tensor]:
    """Those tensors of the tiny checkpoint that begin so, without it."""
    stored = load_file(TINY / "model.safetensors")
    return {key[len(prefix) :]: value for key, value in stored.items() if key.startswith(prefix)}


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def tolerance(name: str = "float32 modules") -> float:
    return float(read("golden.json")["tolerances"][name])


def assert_close(found: Tensor, wanted: Tensor, allowed: float | None = None) -> None:
    limit = tolerance() if allowed is None else allowed
    torch.testing.assert_close(found.float(), wanted.float(), atol=limit, rtol=0)


def codec_pickle() -> dict[str, dict[str, Tensor]]:
    """The codec's weights, which are not stored but drawn by the rule in golden.json."""
    return {
        part: {key: _drawn(f"{part}.{key}", tuple(shape)) for key, shape in keys.items()}
        for part, keys in read("codec_keys.json").items()
    }


def _drawn(key: str, shape: tuple[int, ...]) -> Tensor:
    mean, deviation = 0.0, 0.5
    if key.endswith("weight_g"):
        mean = 0.5 if "resblocks" in key else 1.0
        deviation = 0.1 * mean
    elif key.endswith("weight_v"):
        deviation = 1.0
    elif key.endswith("bias"):
        deviation = 0.02
    random = np.random.RandomState(zlib.crc32(key.encode()))
    numbers = random.standard_normal(int(np.prod(shape))).reshape(shape)
    return torch.from_numpy((numbers * deviation + mean).astype(np.float32))
