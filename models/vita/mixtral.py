"""VITA-1.0's language model: Mixtral of transformers behind our caches and the released names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MixtralConfig, MixtralModel
from transformers.integrations.moe import (
    ALL_EXPERTS_FUNCTIONS,
    batched_mm_experts_forward,
    grouped_mm_experts_forward,
)

from models.vita.blocks import rotary_tables
from models.vita.cache import LayerCache
from models.vita.config import LanguageModelConfig

_BY_COUNT = "antiphon_by_count"
_GATE = ("mlp.gate.", "block_sparse_moe.gate.")  # transformers' name and the checkpoints'
_FUSED = re.compile(r"(layers\.\d+\.)mlp\.experts\.(gate_up_proj|down_proj)$")
_RELEASED = re.compile(r"(layers\.\d+\.)block_sparse_moe\.experts\.(\d+)\.w([123])\.weight$")


def _by_count(experts: nn.Module, hidden: Tensor, chosen: Tensor, shares: Tensor) -> Tensor:
    """Many tokens sorted by expert, one token with its experts picked out: the second needs no
    sizes from the device, so it can be part of a CUDA graph."""
    alone = hidden.shape[0] == 1 and hidden.is_cuda
    forward = batched_mm_experts_forward if alone else grouped_mm_experts_forward
    out: Tensor = forward(experts, hidden, chosen, shares)
    return out


ALL_EXPERTS_FUNCTIONS.register(_BY_COUNT, _by_count)


class _Rotary(nn.Module):
    """Positions without buffers, which a model made on the meta device or in bf16 would lose."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self._width, self._base = config.width // config.heads, config.rotary_base

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        cosines, sines = rotary_tables(position_ids, self._width, self._base, x.dtype)
        return cosines[:, :, 0], sines[:, :, 0]


class _Bridge:
    """Our layers' memory as transformers asks for it; it has heads before tokens."""

    def __init__(self, layers: Sequence[LayerCache]) -> None:
        self._layers = layers

    def update(
        self, keys: Tensor, values: Tensor, layer: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        seen = self._layers[layer].extend(keys.transpose(1, 2), values.transpose(1, 2))
        return seen[0].transpose(1, 2), seen[1].transpose(1, 2)


class MixtralBody(MixtralModel):  # type: ignore[no-untyped-call]
    """models.vita.language_model.Body with experts. Its state dictionary has the released names,
    each expert's w1, w2, w3; they are parts of the fused tensors that the library computes with."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__(MixtralConfig(**_sizes(config)))
        own: Any = self  # these are not typed
        own.rotary_emb = _Rotary(config)
        own.register_state_dict_post_hook(_split)
        own.register_load_state_dict_pre_hook(_join)

    def read(
        self,
        embeddings: Tensor,
        positions: Tensor,
        cache: Sequence[LayerCache] | None,
        mask: Tensor | None,
    ) -> Tensor:
        """As LanguageModel.forward."""
        if mask is None and cache is not None:
            mask = embeddings.new_zeros(1, 1, 1, 1)  # one new token, which sees all
        made = self(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions if positions.dim() == 2 else positions[None],
            past_key_values=None if cache is None else _Bridge(cache),
            use_cache=False,
        )
        out: Tensor = made.last_hidden_state
        return out

    def take(self, name: str, tensor: Tensor) -> None:
        """Put a tensor of a released name in its place; the fused one is made when its first part
        comes, so that nothing is in memory twice."""
        found = _RELEASED.search(name)
        if found is None:
            path, _, leaf = name.replace(_GATE[1], _GATE[0]).rpartition(".")
            setattr(self.get_submodule(path), leaf, _fixed(tensor))
            return
        stem, expert, part = found[1], int(found[2]), int(found[3])
        experts = self.get_submodule(f"{stem}mlp.experts")
        leaf = "down_proj" if part == 2 else "gate_up_proj"
        held = experts.get_parameter(leaf)
        if held.is_meta:
            held = _fixed(torch.empty_like(held, device=tensor.device, dtype=tensor.dtype))
            setattr(experts, leaf, held)
        _part(held, expert, part).copy_(tensor)


def _sizes(config: LanguageModelConfig) -> dict[str, Any]:
    """As MixtralConfig calls them."""
    return {
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "num_local_experts": config.experts,
        "num_experts_per_tok": config.experts_used,
        "rms_norm_eps": config.norm_epsilon,
        "max_position_embeddings": config.positions,
        "sliding_window": None,
        "attn_implementation": "sdpa",
        "experts_implementation": _BY_COUNT,
    }


def _fixed(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)


def _part(fused: Tensor, expert: int, part: int) -> Tensor:
    """A view of one expert's w1, w2 or w3."""
    return fused[expert] if part == 2 else fused[expert].chunk(2)[0 if part == 1 else 1]


def _split(module: nn.Module, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        tensor = state.pop(key)
        found = _FUSED.search(key)
        if found is None:
            state[key.replace(*_GATE)] = tensor
            continue
        stem = key[: found.start()] + found[1] + "block_sparse_moe.experts"
        for expert in range(len(tensor)):
            for part in (2,) if found[2] == "down_proj" else (1, 3):
                state[f"{stem}.{expert}.w{part}.weight"] = _part(tensor, expert, part)


def _join(module: MixtralBody, state: dict[str, Tensor], prefix: str, *_: Any, **__: Any) -> None:
    """The reverse, for load_state_dict."""
    for name, tensor in module.named_parameters():
        found = _FUSED.search(name)
        if found is None:
            released = prefix + name.replace(*_GATE)
            if released in state:
                state[prefix + name] = state.pop(released)
            continue
        joined, stem = torch.empty_like(tensor), f"{prefix}{found[1]}block_sparse_moe.experts"
        for expert in range(len(tensor)):
            for part in (2,) if found[2] == "down_proj" else (1, 3):
                _part(joined, expert, part).copy_(state.pop(f"{stem}.{expert}.w{part}.weight"))
        state[prefix + name] = joined
