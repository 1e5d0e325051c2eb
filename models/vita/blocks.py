"""The decoder block that language model and speech decoder share (Llama and Qwen2 form)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.cache import LayerCache

Tables: TypeAlias = tuple[Tensor, Tensor]

MASKED = -65504.0  # finite, so that a row without any key gives no NaN


@dataclass(frozen=True, slots=True)
class BlockConfig:
    width: int
    heads: int
    key_value_heads: int
    feed_forward: int
    norm_epsilon: float
    bias: bool
    dropout: float = 0.0

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class AttentionContext:
    """What all blocks of one pass share: rotary tables [b or 1, n, 1, head], additive mask."""

    cosines: Tensor
    sines: Tensor
    mask: Tensor | None
    causal: bool


def rotary_tables(positions: Tensor, width: int, base: float, dtype: torch.dtype) -> Tables:
    """Cosine and sine for `positions` [b, n] or [n]; each [b or 1, n, 1, width]."""
    even = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32)
    angles = positions.to(torch.float32)[..., None] * base ** (-even / width)
    angles = torch.cat((angles, angles), -1)
    angles = angles[None] if positions.dim() == 1 else angles
    return angles.cos()[:, :, None].to(dtype), angles.sin()[:, :, None].to(dtype)


def rotate(vectors: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Half-split rotation of [b, n, heads, head]."""
    left, right = vectors.chunk(2, -1)
    return vectors * cosines + torch.cat((-right, left), -1) * sines


def additive(visible: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A boolean mask as a mask to be added to scores."""
    return torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, MASKED)


class RmsNorm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


class Attention(nn.Module):
    """Grouped-query attention with rotary positions."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        inner = config.key_value_heads * config.head_width
        self.q_proj = nn.Linear(config.width, config.width, bias=config.bias)
        self.k_proj = nn.Linear(config.width, inner, bias=config.bias)
        self.v_proj = nn.Linear(config.width, inner, bias=config.bias)
        self.o_proj = nn.Linear(config.width, config.width, bias=False)

    def forward(
        self, x: Tensor, around: AttentionContext, cache: LayerCache | None, aligner: int | None
    ) -> tuple[Tensor, Tensor | None]:
        """x [b, n, w] -> [b, n, w], and the weights [b, n, keys] of head `aligner` if asked."""
        queries, keys, values = self._project(x, around)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        queries, keys, values = (t.transpose(1, 2) for t in (queries, keys, values))
        groups = self.config.heads // self.config.key_value_heads
        if groups > 1 and queries.shape[2] == 1 and aligner is None:
            out = _grouped(queries, keys, values, around.mask)
            return self.o_proj(out.transpose(1, 2).flatten(2)), None
        if groups > 1:
            keys, values = _repeat(keys, groups), _repeat(values, groups)
        out = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=around.mask, is_causal=around.causal
        )
        weights = None if aligner is None else self._weights(queries, keys, around, aligner)
        return self.o_proj(out.transpose(1, 2).flatten(2)), weights

    def _project(self, x: Tensor, around: AttentionContext) -> tuple[Tensor, Tensor, Tensor]:
        shape = (*x.shape[:2], -1, self.config.head_width)
        queries = rotate(self.q_proj(x).view(shape), around.cosines, around.sines)
        keys = rotate(self.k_proj(x).view(shape), around.cosines, around.sines)
        return queries, keys, self.v_proj(x).view(shape)

    def _weights(
        self, queries: Tensor, keys: Tensor, around: AttentionContext, head: int
    ) -> Tensor:
        """Fused attention keeps its weights to itself; one head is cheap to do again."""
        scores = queries[:, head] @ keys[:, head].transpose(1, 2)
        scores = scores * self.config.head_width**-0.5
        if around.mask is not None:
            scores = scores + around.mask[:, 0]
        weights: Tensor = scores.softmax(-1)
        return weights


def _grouped(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of one new token: the queries that share a key stand as rows of one head, so that
    no key is copied for each of them. queries [b, h, 1, d], keys and values [b, h / g, n, d], mask
    [b or 1, 1, 1, n] -> [b, h, 1, d]."""
    batch, heads, _, width = queries.shape
    rows = queries.reshape(batch, keys.shape[1], -1, width)
    mixed = functional.scaled_dot_product_attention(rows, keys, values, attn_mask=mask)
    return mixed.reshape(batch, heads, 1, width)


def _repeat(x: Tensor, groups: int) -> Tensor:
    """[b, h, n, d] -> [b, h * groups, n, d], neighbours alike."""
    batch, heads, length, width = x.shape
    wide = x[:, :, None].expand(batch, heads, groups, length, width)
    return wide.reshape(batch, heads * groups, length, width)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.up_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.down_proj = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RmsNorm(config.width, config.norm_epsilon)
        self.post_attention_layernorm = RmsNorm(config.width, config.norm_epsilon)
        self.dropout = config.dropout

    def forward(
        self,
        x: Tensor,
        around: AttentionContext,
        cache: LayerCache | None = None,
        aligner: int | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        heard, weights = self.self_attn(self.input_layernorm(x), around, cache, aligner)
        x = x + self._drop(heard)
        return x + self._drop(self.mlp(self.post_attention_layernorm(x))), weights

    def _drop(self, x: Tensor) -> Tensor:
        if not self.dropout or not self.training:
            return x
        return functional.dropout(x, self.dropout)


def run_blocks(
    blocks: nn.ModuleList,
    x: Tensor,
    around: AttentionContext,
    cache: Sequence[LayerCache] | None = None,
    aligner: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor | None]:
    """All blocks in turn; the weights of the (layer, head) named `aligner`, if any."""
    kept: Tensor | None = None
    for index, block in enumerate(blocks):
        head = aligner[1] if aligner is not None and aligner[0] == index else None
        x, weights = block(x, around, cache[index] if cache is not None else None, head)
        kept = weights if weights is not None else kept
    return x, kept


def initialise(module: nn.Module, deviation: float = 0.02) -> None:
    """Small normal weights and zero biases, as Qwen2 and Llama start their training."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=deviation)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
