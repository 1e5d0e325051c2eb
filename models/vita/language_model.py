"""The language model: a Qwen2-form decoder that reads vectors (words, sound, images alike)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from models.vita.blocks import (
    AttentionContext,
    Block,
    BlockConfig,
    RmsNorm,
    additive,
    initialise,
    rotary_tables,
    run_blocks,
)
from models.vita.cache import LayerCache, empty, growing
from models.vita.config import LanguageModelConfig


def causal_mask(new: int, past: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Additive [1, 1, new, past + new]: every new token sees the past, itself and those between."""
    keys = torch.arange(past + new, device=device)
    rows = torch.arange(past, past + new, device=device)
    return additive(keys[None] <= rows[:, None], dtype)[None, None]


class Body(nn.Module):
    """Embedding table, blocks, final norm; its names are those of the checkpoints."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        block = BlockConfig(
            width=config.width,
            heads=config.heads,
            key_value_heads=config.key_value_heads,
            feed_forward=config.feed_forward,
            norm_epsilon=config.norm_epsilon,
            bias=config.attention_bias,
            dropout=config.dropout,
        )
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Block(block) for _ in range(config.layers))
        self.norm = RmsNorm(config.width, config.norm_epsilon)

    def read(
        self,
        embeddings: Tensor,
        positions: Tensor,
        cache: Sequence[LayerCache] | None,
        mask: Tensor | None,
    ) -> Tensor:
        """As LanguageModel.forward."""
        config = self.config
        head, dtype = config.width // config.heads, embeddings.dtype
        tables = rotary_tables(positions, head, config.rotary_base, dtype)
        around = AttentionContext(*tables, mask, causal=mask is None and cache is None)
        hidden, _ = run_blocks(self.layers, embeddings, around, cache)
        out: Tensor = self.norm(hidden)
        return out

    def take(self, name: str, tensor: Tensor) -> None:
        """Put a tensor of a checkpoint in its place."""
        path, _, leaf = name.rpartition(".")
        setattr(self.get_submodule(path), leaf, nn.Parameter(tensor, requires_grad=False))


def _body(config: LanguageModelConfig) -> Body:
    if not config.experts:
        return Body(config)
    from models.vita.mixtral import MixtralBody  # transformers is slow to import: only for these

    return cast(Body, MixtralBody(config))


class LanguageModel(nn.Module):
    """embeddings [b, n, w] -> hidden [b, n, w] -> logits [b, n, vocabulary]."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _body(config)
        self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.tied:
            self.lm_head.weight = self.model.embed_tokens.weight

    @property
    def head_width(self) -> int:
        return self.config.width // self.config.heads

    def initialise(self) -> None:
        """Fresh weights for training."""
        initialise(self)

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [b, n] -> vectors [b, n, w]."""
        out: Tensor = self.model.embed_tokens(ids)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.lm_head(hidden)
        return out

    def forward(
        self,
        embeddings: Tensor,
        positions: Tensor | None = None,
        cache: Sequence[LayerCache] | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Hidden states after the final norm, [b, n, w].

        positions [n] or [b, n], by default 0.. ; mask additive [b or 1, 1, n, keys]. Without a mask
        attention is causal, which needs either no cache or one whose past is visible to all and a
        single new token; several new tokens on a past take `causal_mask`. A right-padded training
        batch needs no mask: no real token looks to the right.
        """
        count = embeddings.shape[1]
        if positions is None:
            positions = torch.arange(count, device=embeddings.device)
        return self.model.read(embeddings, positions, cache, mask)

    def read(
        self, embeddings: Tensor, past: Sequence[Tensor], start: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read [1, n, w] after `start` tokens in the flat cache `past` ([1, start, heads, head]
        each). Gives hidden [1, n, w] and the flat cache grown by n."""
        layers = growing(past)
        count = embeddings.shape[1]
        positions = torch.arange(start, start + count, device=embeddings.device)
        mask = causal_mask(count, start, embeddings.device, embeddings.dtype)
        hidden = self(embeddings, positions, layers, mask)
        return hidden, tuple(tensor for layer in layers for tensor in layer.whole)

    def start(self) -> tuple[Tensor, ...]:
        """The flat cache of a model that has read nothing."""
        weight = self.model.norm.weight
        made = empty(self.config.layers, self.config.key_value_heads, self.head_width, weight.dtype)
        return tuple(tensor.to(weight.device) for tensor in made)
