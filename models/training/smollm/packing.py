"""From what was trained to the file of changes that the server reads."""

from __future__ import annotations

from pathlib import Path

import torch

from models.smollm.chat import Chat
from models.smollm.weights import ROWS, Changes
from models.training.smollm.lowrank import SCALE

_BEFORE = "model.model.layers."


def changes_of(trained: Path, chat: Chat) -> Changes:
    """What `LowRankTuning` saved, by the names of models.smollm.weights."""
    stored = torch.load(trained, weights_only=True)
    factors = {name: values.float().numpy() for name, values in stored.items()}
    rows = factors.pop(ROWS)
    named = {name.removeprefix(_BEFORE): values for name, values in factors.items()}
    return Changes(
        SCALE,
        {n.removesuffix(".down"): v for n, v in named.items() if n.endswith(".down")},
        {n.removesuffix(".up"): v for n, v in named.items() if n.endswith(".up")},
        dict(zip(chat.markers, rows, strict=True)),
    )
