"""Tests of the weights that a stage saves: trained ones, tied ones, and those that stay."""

from __future__ import annotations

import torch
from torch import nn

from models.training.optimiser import MasterWeights


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 3)
        self.still = nn.Linear(3, 3)
        self.head = nn.Linear(3, 4, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("scale", torch.tensor([1.2345678]))


def test_tied_weights_are_saved_alike_and_still_ones_exactly() -> None:
    torch.manual_seed(0)
    module = Tied()
    module.still.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimiser = MasterWeights(module, rate=0.1)
    module.to(torch.bfloat16)
    module.head(module.still(module.table(torch.tensor([1])))).sum().backward()
    optimiser.step(0.0, 1000)
    saved = optimiser.full(module)
    assert torch.equal(saved["table.weight"], saved["head.weight"])
    assert not torch.equal(saved["table.weight"], before["table.weight"])
    for name in ("still.weight", "still.bias", "scale"):
        assert torch.equal(saved[name], before[name])
