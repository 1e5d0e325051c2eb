"""The networks in the form that onnxruntime runs best, made from trained modules.

Decoders get one attention operator that keeps keys and values in the caller's buffers, rotary
positions inside it, and one product each for query-key-value and for gate-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.onnx.ops import symbolic_multi_out

from models.vita.adapter import AudioTower
from models.vita.audio_encoder import EncoderCache, encoder_frames
from models.vita.blocks import Block, rotary_tables, rotate
from models.vita.language_model import LanguageModel
from models.vita.nano_codec import FeatureDecoder
from models.vita.speech_decoder import SpeechDecoder, SpeechPrefill
from models.vita.spelled_tower import SpelledTower


def _joined(parts: Sequence[nn.Linear]) -> nn.Linear:
    """One linear map whose output is that of all parts, one after the other."""
    biased = parts[0].bias is not None
    joined = nn.Linear(parts[0].in_features, sum(p.out_features for p in parts), bias=biased)
    joined.weight.data = torch.cat([p.weight.detach() for p in parts])
    if biased:
        joined.bias.data = torch.cat([p.bias.detach() for p in parts])
    return joined


class InPlaceBlock(nn.Module):
    """A decoder block over a cache [1, heads, capacity, head] that its attention writes to."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, block: Block, positions: int, base: float, aligner: int | None) -> None:
        super().__init__()
        self.block, self.config, self.aligner = block, block.self_attn.config, aligner
        attention, mlp = block.self_attn, block.mlp
        self.qkv = _joined((attention.q_proj, attention.k_proj, attention.v_proj))
        self.gate_up = _joined((mlp.gate_proj, mlp.up_proj))
        head = self.config.head_width
        tables = rotary_tables(torch.arange(positions), head, base, torch.float32)
        cosines, sines = (table[0, :, 0, : head // 2] for table in tables)
        self.register_buffer("cosines", cosines.contiguous())
        self.register_buffer("sines", sines.contiguous())

    def forward(
        self, x: Tensor, last: Tensor, total: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """x [1, n, w], lengths last [1] = total - 1 and total [1], int32."""
        joined = self.qkv(self.block.input_layernorm(x))
        mixed, keys, values = self._attend(joined, last, total, keys, values)
        weights = None if self.aligner is None else self._weights(joined, last, keys, self.aligner)
        x = x + self.block.self_attn.o_proj(mixed)
        gate, up = self.gate_up(self.block.post_attention_layernorm(x)).chunk(2, -1)
        return x + self.block.mlp.down_proj(functional.silu(gate) * up), keys, values, weights

    def _attend(
        self, joined: Tensor, last: Tensor, total: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs = (joined, None, None, keys, values, last, total, self.cosines, self.sines)
        mixed, keys, values = symbolic_multi_out(
            "com.microsoft::GroupQueryAttention",
            inputs,
            {
                "num_heads": self.config.heads,
                "kv_num_heads": self.config.key_value_heads,
                "do_rotary": 1,
            },
            dtypes=(torch.float32,) * 3,
            shapes=((1, joined.shape[1], self.config.width), keys.shape, values.shape),
            version=1,
        )
        return mixed, keys, values

    def _weights(self, joined: Tensor, last: Tensor, keys: Tensor, head: int) -> Tensor:
        """What head `head` of the one new token looks at, [1, capacity]."""
        width = self.config.head_width
        query = joined[:, :, head * width : (head + 1) * width].reshape(1, 1, 1, width)
        place = last.to(torch.int64)
        cosines, sines = (
            table.index_select(0, place).repeat(1, 2).reshape(1, 1, 1, width)
            for table in (self.cosines, self.sines)
        )
        query = rotate(query, cosines, sines).reshape(1, width)
        scores = query @ keys[0, head].T * width**-0.5
        hidden = torch.arange(keys.shape[2])[None] > last[:, None]
        weights: Tensor = scores.masked_fill(hidden, -1e9).softmax(-1)
        return weights


def _in_place(
    blocks: nn.ModuleList, positions: int, base: float, aligner: tuple[int, int] | None = None
) -> nn.ModuleList:
    heads = {} if aligner is None else {aligner[0]: aligner[1]}
    made = (
        InPlaceBlock(cast(Block, b), positions, base, heads.get(i)) for i, b in enumerate(blocks)
    )
    return nn.ModuleList(made)


def _run(
    blocks: nn.ModuleList, x: Tensor, last: Tensor, total: Tensor, past: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor], Tensor | None]:
    present: list[Tensor] = []
    aligned: Tensor | None = None
    for index, block in enumerate(blocks):
        x, keys, values, weights = block(x, last, total, past[2 * index], past[2 * index + 1])
        present += [keys, values]
        aligned = aligned if weights is None else weights
    return x, present, aligned


class LanguageGraph(nn.Module):
    """embeddings [1, n, w] after a past -> logits of the last [1, vocabulary], present."""

    def __init__(self, model: LanguageModel, capacity: int) -> None:
        super().__init__()
        config = model.config
        self.blocks = _in_place(model.model.layers, capacity, config.rotary_base)
        self.norm, self.head = model.model.norm, model.lm_head

    def forward(
        self, embeddings: Tensor, last: Tensor, total: Tensor, past: list[Tensor]
    ) -> tuple[Tensor, ...]:
        x, present, _ = _run(self.blocks, embeddings, last, total, past)
        return self.head(self.norm(x[:, -1])), *present


class SpeechStepGraph(nn.Module):
    """codes [1, 1] after a past -> logits [1, codes + 4], alignment [1, capacity], present."""

    def __init__(self, decoder: SpeechDecoder, capacity: int) -> None:
        super().__init__()
        config = decoder.config
        if config.aligner is None:
            raise ValueError("this speech decoder names no aligner head")
        self.embedding, self.norm, self.out = decoder.embedding, decoder.norm, decoder.out_fnn
        self.blocks = _in_place(decoder.layers, capacity, config.rotary_base, config.aligner)

    def forward(
        self, codes: Tensor, last: Tensor, total: Tensor, past: list[Tensor]
    ) -> tuple[Tensor, ...]:
        x, present, weights = _run(self.blocks, self.embedding(codes), last, total, past)
        assert weights is not None
        return self.out(self.norm(x[:, -1:]))[:, 0], weights, *present


class SpeechPrefillGraph(nn.Module):
    """letters [1, t] -> keys and values by layer, [1, heads, 1 + t, head] each."""

    def __init__(self, decoder: SpeechDecoder) -> None:
        super().__init__()
        self.prefill = SpeechPrefill(decoder)

    def forward(self, letters: Tensor) -> tuple[Tensor, ...]:
        return tuple(kept.transpose(1, 2) for kept in self.prefill(letters))


class CodecGraph(nn.Module):
    """codes [1, n] with their context -> acoustic features."""

    def __init__(self, decoder: FeatureDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, codes: Tensor) -> Tensor:
        out: Tensor = self.decoder(codes)
        return out


class ListeningGraph(nn.Module):
    """One chunk as `models.vita.adapter.AudioTower.step` takes it, for export; for towers whose
    adapter sees the letters too (`blend`)."""

    def __init__(self, tower: AudioTower) -> None:
        super().__init__()
        if tower.letters is None:
            raise ValueError("this tower has no letter head: there is no live transcript")
        self.tower = tower
        self.blend = getattr(tower, "blend", None)

    def forward(
        self,
        features: Tensor,
        valid: Tensor,
        keys: Tensor,
        values: Tensor,
        position: Tensor,
        tail: Tensor,
    ) -> tuple[Tensor, ...]:
        """Gives vectors, letter scores, keys, values, position, tail."""
        cache = EncoderCache(keys, values, position)
        frames, later = self.tower.encoder.step(features, valid, cache)
        letters = self.tower.spell(frames)
        there = torch.arange(frames.shape[1]) < encoder_frames(valid)
        blended = frames if self.blend is None else self.blend(frames)
        blended = blended * there[None, :, None].to(frames.dtype)
        vectors, tail = self.tower.adpter.step(blended, tail)
        return vectors, letters, *later, tail


class SpelledGraph(nn.Module):
    """Letter scores [1, t, letters] -> vectors [1, (t + 1) / 2, width], as the adapter of
    `models.vita.spelled_tower.SpelledTower` takes letters that come without frames. Its two linear
    maps in a row are one here."""

    def __init__(self, tower: SpelledTower) -> None:
        super().__init__()
        adapter = tower.adpter
        self.reach = adapter.config.kernel - 1
        self.narrow = nn.Conv1d(
            tower.spelled.in_features, adapter.config.width, self.reach + 1, adapter.config.stride
        )
        with torch.no_grad():
            joined = torch.einsum("owk,wl->olk", adapter.conv1d2.weight, tower.spelled.weight)
            self.narrow.weight.copy_(joined)
            assert adapter.conv1d2.bias is not None and self.narrow.bias is not None
            self.narrow.bias.copy_(adapter.conv1d2.bias)
        self.norm, self.project = adapter.bn2, adapter.project

    def forward(self, letters: Tensor) -> Tensor:
        padded = functional.pad(letters.softmax(-1), (0, 0, self.reach, 0))
        narrow = self.narrow(padded.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.project(functional.gelu(self.norm(narrow)))
        return out
