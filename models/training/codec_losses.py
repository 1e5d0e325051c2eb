"""How far decoded features are from the true ones; learning rate and curve of a training."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.vita.vocoder import BANDS, PITCH, VOICING

_SILENT = -13.0  # log power of the loudest band: quieter frames count little
_SHARES = {"envelope": 1.0, "slope": 0.5, "pitch": 0.3, "voicing": 0.3, "noise": 0.1}


def feature_loss(out: Tensor, normal: Tensor, features: Tensor) -> dict[str, Tensor]:
    """out and normal [b, n, FEATURES] in normalised units, features in the vocoder's own."""
    heard = features[..., :BANDS].amax(-1, keepdim=True).sub(_SILENT).clamp(0, 6) / 6 + 0.1
    envelope = (out - normal)[..., :BANDS]
    voiced = features[..., VOICING]
    off = (out - normal)[..., PITCH].square() * voiced
    losses = {
        "envelope": (envelope.square() * heard).mean(),
        "slope": (envelope.diff(dim=1).square() * heard[:, 1:]).mean(),
        "pitch": off.sum() / voiced.sum().clamp(min=1),
        "voicing": functional.binary_cross_entropy_with_logits(out[..., VOICING], voiced),
        "noise": (out - normal)[..., BANDS:PITCH].square().mean(),
    }
    losses["loss"] = torch.stack([losses[name] * share for name, share in _SHARES.items()]).sum()
    return losses


def rate_at(step: int, steps: int, highest: float, warm_up: int = 100) -> float:
    """Learning rate: linear warm-up, then a cosine down to a fiftieth at `steps`."""
    done = min(1.0, step / steps)
    return highest * min(1.0, (step + 1) / warm_up) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))


class LossCurve:
    """Losses by step, smoothed where they are drawn."""

    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []

    def add(self, step: int, losses: dict[str, float]) -> None:
        self.points.append((step, losses))

    def plot(self, path: Path, title: str) -> None:
        """Draw every loss as a running mean, on a logarithmic scale."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(9, 5))
        for name in sorted({name for _, losses in self.points for name in losses}):
            places = [step for step, losses in self.points if name in losses]
            values = torch.tensor([losses[name] for _, losses in self.points if name in losses])
            width = max(1, len(values) // 100)
            smooth = values.unfold(0, width, width).mean(1)
            axes.plot(places[width - 1 :: width], smooth, label=name)
        axes.set(title=title, xlabel="step", yscale="log")
        axes.legend()
        figure.savefig(path, dpi=80)
        pyplot.close(figure)
