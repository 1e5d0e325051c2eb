"""AdamW on full-precision master weights while the network itself computes in bfloat16."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class MasterWeights:
    """Keeps the truth in float32; the module's own weights are rounded copies of it.

    On a CPU with bfloat16 instructions matrix products are about five times as fast that way.
    """

    def __init__(
        self, module: nn.Module, rate: float, weight_decay: float = 0.02, clip: float = 1.0
    ) -> None:
        self.rate, self._clip = rate, clip
        self._copies = [p for p in module.parameters() if p.requires_grad]
        learned = {p.data_ptr() for p in self._copies}  # a tied weight has two names
        self._fixed = {  # what is not trained keeps its precision too
            name: tensor.detach().float().clone()
            for name, tensor in module.state_dict().items()
            if tensor.data_ptr() not in learned and tensor.is_floating_point()
        }
        self.master = [p.detach().float().clone().requires_grad_() for p in self._copies]
        wide = [p for p in self.master if p.dim() > 1]
        flat = [p for p in self.master if p.dim() <= 1]
        groups = [
            {"params": wide, "weight_decay": weight_decay},
            {"params": flat, "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)

    def step(self, progress: float, steps: int, warm_up: int = 150) -> float:
        """Apply the gradients; `progress` 0 to 1 of the stage. Gives the gradient's norm."""
        factor = min(1.0, (steps + 1) / warm_up) * (0.02 + 0.98 * _cosine(progress))
        for group in self._adam.param_groups:
            group["lr"] = self.rate * factor
        for master, copy in zip(self.master, self._copies, strict=True):
            master.grad = None if copy.grad is None else copy.grad.float()
            copy.grad = None
        norm = float(nn.utils.clip_grad_norm_(self.master, self._clip))
        if math.isfinite(norm):
            self._adam.step()
            self.publish()
        return norm

    @torch.no_grad()
    def publish(self) -> None:
        """Write the master weights into the module."""
        for master, copy in zip(self.master, self._copies, strict=True):
            copy.copy_(master)

    def full(self, module: nn.Module) -> dict[str, Tensor]:
        """The module's state in full precision, trained or not."""
        state = {name: tensor.detach().float() for name, tensor in module.state_dict().items()}
        state.update(self._fixed)
        held = {p.data_ptr(): master for p, master in zip(self._copies, self.master, strict=True)}
        for name, tensor in module.state_dict().items():
            if tensor.data_ptr() in held:
                state[name] = held[tensor.data_ptr()].detach()
        return state

    def state_dict(self) -> dict[str, Any]:
        return {"master": self.master, "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for own, stored in zip(self.master, state["master"], strict=True):
                own.copy_(stored)
        self._adam.load_state_dict(state["adam"])
        self.publish()


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress))))
