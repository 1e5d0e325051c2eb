"""The network that spells Chinese: frames of the recogniser's encoder to letters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.moonshine import WIDTH
from models.training.listener import LETTERS

HEADS, REACH, WIDER, DROPOUT = 4, 9, 3, 0.1
_NEVER = 1e4


class SpellingBlock(nn.Module):
    """A convolution over REACH frames, which also says what is near; attention; feed-forward."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.near = nn.Conv1d(width, width, REACH, padding=REACH // 2, groups=width)
        self.mix = nn.Linear(width, width)
        self.asked, self.told = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, WIDER * width), nn.Linear(WIDER * width, width)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """x [b, t, w]; `there` [b, t] is 1.0 where there is sound, else 0.0."""
        normed = self.norms[0](x) * there[..., None]
        x = x + self.mix(functional.gelu(self.near(normed.transpose(1, 2)).transpose(1, 2)))
        x = x + self.told(self._attended(self.norms[1](x), there))
        wide = self.narrow(functional.gelu(self.wide(self.norms[2](x))))
        return x + functional.dropout(wide, DROPOUT, self.training)

    def _attended(self, x: Tensor, there: Tensor) -> Tensor:
        batch, time, width = x.shape
        split = self.asked(x).reshape(batch, time, 3, HEADS, width // HEADS)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind(0)
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(width // HEADS)
        scores = scores + (there[:, None, None, :] - 1) * _NEVER
        mixed: Tensor = (scores.softmax(-1) @ values).transpose(1, 2)
        return mixed.reshape(batch, time, width)


class SpellingNetwork(nn.Module):
    """frames [b, t, 288], 25 a second -> letter scores [b, t, LETTERS]; 0 is the blank."""

    def __init__(self, width: int = 256, layers: int = 3) -> None:
        super().__init__()
        self.width, self.layers = width, layers
        self.first, self.narrow = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, width)
        self.blocks = nn.ModuleList(SpellingBlock(width) for _ in range(layers))
        self.last, self.letters = nn.LayerNorm(width), nn.Linear(width, LETTERS)

    def forward(self, frames: Tensor, there: Tensor | None = None) -> Tensor:
        """`there` as in SpellingBlock; without it all frames count."""
        if there is None:
            there = torch.ones_like(frames[..., 0])
        x = self.narrow(self.first(frames))
        for block in self.blocks:
            x = block(x, there)
        scores: Tensor = self.letters(self.last(x))
        return scores
