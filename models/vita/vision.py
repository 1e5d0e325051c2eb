"""The vision tower (InternViT form) and the projector into the language model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.config import VisionConfig


class Stem(nn.ModuleList):
    """Convolutions that halve the image: [n, 3, side, side] -> [n, widths[-1], side / 2^k, ..]."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        before = (3, *widths[:-1])
        super().__init__(
            nn.Conv2d(narrow, wide, 3, stride=2, padding=1)
            for narrow, wide in zip(before, widths, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self:
            x = functional.relu(convolution(x))
        return x


class VisionEmbeddings(nn.Module):
    """pixels [n, 3, side, side] -> [n, 1 + patches, width], the class vector first."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        count = 1 + config.grid**2
        self.class_embedding = nn.Parameter(torch.randn(1, 1, config.width))
        self.position_embedding = nn.Parameter(torch.randn(1, count, config.width))
        self.stem = Stem(config.stem) if config.stem else None
        patch = config.patch >> len(config.stem)
        self.patch_embedding = nn.Conv2d((3, *config.stem)[-1], config.width, patch, patch)

    def forward(self, pixels: Tensor) -> Tensor:
        seen = pixels if self.stem is None else self.stem(pixels)
        patches = self.patch_embedding(seen).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(patches.shape[0], -1, -1)
        return torch.cat((first, patches), 1) + self.position_embedding


class VisionAttention(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.query_key_bias)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        parts = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class VisionFeedForward(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.feed_forward)
        self.fc2 = nn.Linear(config.feed_forward, config.width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class VisionLayer(nn.Module):
    """Pre-norm, each branch scaled by a learned vector."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.attn = VisionAttention(config)
        self.mlp = VisionFeedForward(config)
        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.ls1 = nn.Parameter(torch.full((config.width,), 0.1))
        self.ls2 = nn.Parameter(torch.full((config.width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x)) * self.ls1
        out: Tensor = x + self.mlp(self.norm2(x)) * self.ls2
        return out


class VisionLayers(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def pixel_shuffle(x: Tensor, factor: int) -> Tensor:
    """Fold factor x factor neighbours into channels: [n, h, w, c] -> [n, h/f, w/f, c*f*f], columns
    first and then rows (InternVL's second order)."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height, width // factor, channels * factor).transpose(1, 2)
    x = x.reshape(n, width // factor, height // factor, channels * factor**2)
    return x.transpose(1, 2)


def waves(grid: int, width: int) -> Tensor:
    """[grid * grid, width]: sines and cosines of each patch's row and column, a half each."""
    steps = torch.arange(width // 4) / (width // 4)
    angles = torch.arange(grid)[:, None] * math.pi * 2 ** (-4.0 * steps)  # [grid, width / 4]
    line = torch.cat((angles.sin(), angles.cos()), 1)
    rows = line[:, None].expand(grid, grid, -1)
    columns = line[None].expand(grid, grid, -1)
    return torch.cat((rows, columns), 2).reshape(grid * grid, width)


class VisionTower(nn.Module):
    """Normalised pixels [n, 3, side, side] -> [n, tokens, projector width]."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = VisionEmbeddings(config)
        self.encoder = VisionLayers(config)

    @torch.no_grad()
    def initialise(self) -> None:
        """Waves as positions and whole branches, with which a tower of few layers learns from
        nothing; loaded weights replace them."""
        config, embeddings = self.config, self.embeddings
        embeddings.class_embedding.mul_(0.02)
        embeddings.position_embedding[:, :1].zero_()
        embeddings.position_embedding[0, 1:] = waves(config.grid, config.width)
        for name, scale in self.encoder.named_parameters():
            if name.endswith(("ls1", "ls2")):
                scale.fill_(1.0)
        for name, weight in embeddings.named_parameters():
            if name.startswith("stem") and name.endswith("weight"):
                nn.init.kaiming_normal_(weight, nonlinearity="relu")

    def hidden(self, pixels: Tensor) -> Tensor:
        """The last layer's output, class vector included; there is no final norm."""
        out: Tensor = self.encoder(self.embeddings(pixels))
        return out

    def forward(self, pixels: Tensor) -> Tensor:
        return self.folded(self.hidden(pixels))

    def folded(self, hidden: Tensor) -> Tensor:
        """The last layer's output without its class vector, scaled, neighbours folded together."""
        config = self.config
        patches = hidden[:, 1:] * config.feature_scale
        square = patches.view(patches.shape[0], config.grid, config.grid, config.width)
        return pixel_shuffle(square, config.shuffle).flatten(1, 2)


class Projector(nn.Sequential):
    """[.., projector width] -> [.., language width]."""

    def __init__(self, config: VisionConfig, language_width: int) -> None:
        super().__init__(
            nn.Linear(config.projector_width, language_width),
            nn.GELU(),
            nn.Linear(language_width, language_width),
        )


class VisionEncoder(nn.Module):
    """Tower and projector of a model that learns from nothing: normalised pixels
    [n, 3, side, side] -> [n, tokens, language width]."""

    def __init__(self, config: VisionConfig, language_width: int) -> None:
        super().__init__()
        self.vision = VisionTower(config)
        self.projector = Projector(config, language_width)
        self.vision.initialise()

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.projector(self.vision(pixels))
        return out
