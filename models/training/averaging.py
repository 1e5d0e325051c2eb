"""One model from several runs: the mean of their weights.

Runs that begin with the same weights and end with a small rate lie in one valley, and the mean lies
deeper in it than each of them ("model soups", Wortsman et al. 2022, arXiv 2203.05482).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor


def average(runs: Sequence[Path], target: Path) -> None:
    """Write the mean of checkpoints of the same form to `target`.

    Raises ValueError where there is none, or where configurations or shapes differ.
    """
    stored = [torch.load(path, weights_only=True) for path in runs]
    if not stored:
        raise ValueError("no checkpoint to take the mean of")
    if any(one["config"] != stored[0]["config"] for one in stored):
        raise ValueError("checkpoints of different configurations have no mean")
    weights = [one["weights"] for one in stored]
    names = weights[0].keys()
    if any(one.keys() != names for one in weights):
        raise ValueError("checkpoints of different parts have no mean")
    mean = {name: _mean([one[name] for one in weights]) for name in names}
    torch.save({**stored[0], "weights": mean}, target)


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """Counts and other whole numbers are the first one's."""
    first = tensors[0]
    if not first.is_floating_point():
        return first
    return torch.stack([tensor.float() for tensor in tensors]).mean(0).to(first.dtype)
