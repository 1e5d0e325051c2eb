"""The speech decoder: text vectors in, codec codes out, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

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
from models.vita.cache import LayerCache, empty, flatten_new, growing
from models.vita.config import SpeechDecoderConfig


def _block(config: SpeechDecoderConfig) -> BlockConfig:
    return BlockConfig(
        width=config.width,
        heads=config.heads,
        key_value_heads=config.heads,
        feed_forward=config.feed_forward,
        norm_epsilon=config.norm_epsilon,
        bias=False,
        dropout=config.dropout,
    )


def _present(count: int, lengths: Tensor | None, like: Tensor) -> Tensor:
    """Boolean [b, count]: which places of a right-padded batch are real."""
    places = torch.arange(count, device=like.device)
    if lengths is None:
        return (places >= 0).expand(like.shape[0], count)
    return places < lengths[:, None]


def batch_rows(voices: int) -> int:
    """Rows of a batched step for so many voices: one, or a power of two from four on, since for two
    or three voices it takes as long."""
    return 1 if voices == 1 else max(4, 1 << (voices - 1).bit_length())


def row_places(places: int) -> int:
    """Places that a row of the decoder's memory has for a chunk of so many and one to come: a
    multiple of 16, as fused attention wants it."""
    return -(-(places + 1) // 16) * 16


class SpeechDecoder(nn.Module):
    """A bidirectional pre-network over the text; then bos and text are read bidirectionally as a
    prefix by the main layers, which go on with start, code, code, ... causally.

    Code ids: 0..codes-1, then bos, start, end, padding.
    """

    def __init__(self, config: SpeechDecoderConfig) -> None:
        super().__init__()
        self.config = config
        block = _block(config)
        self.embedding = nn.Embedding(config.codes + 4, config.width)
        self.layers_pre_nn = nn.ModuleList(Block(block) for _ in range(config.pre_layers))
        self.layers = nn.ModuleList(Block(block) for _ in range(config.layers))
        self.norm = RmsNorm(config.width, config.norm_epsilon)
        self.out_fnn = nn.Linear(config.width, config.codes + 4)
        self.text_embedding = (
            nn.Embedding(config.text_vocabulary, config.width) if config.text_vocabulary else None
        )

    def initialise(self) -> None:
        """Fresh weights for training."""
        initialise(self)

    def embed_text(self, ids: Tensor) -> Tensor:
        """Text ids [b, t] -> vectors [b, t, w], where the decoder has a table of its own."""
        if self.text_embedding is None:
            raise ValueError("this speech decoder takes the language model's vectors")
        out: Tensor = self.text_embedding(ids)
        return out

    def split(self, vectors: Tensor) -> Tensor:
        """Language-model vectors [b, n, k * w] -> [b, n * k, w], first part first."""
        return vectors.reshape(vectors.shape[0], -1, self.config.width)

    def _around(
        self, positions: Tensor, mask: Tensor | None, dtype: torch.dtype
    ) -> AttentionContext:
        head = self.config.width // self.config.heads
        tables = rotary_tables(positions, head, self.config.rotary_base, dtype)
        return AttentionContext(*tables, mask, causal=False)

    def prepare(self, text: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The pre-network: [b, t, w] -> [b, t, w]; lengths [b] of a right-padded batch."""
        positions = torch.arange(text.shape[1], device=text.device)
        mask = None
        if lengths is not None:
            there = _present(text.shape[1], lengths, text)
            mask = additive(there[:, None, None], text.dtype)
        out, _ = run_blocks(self.layers_pre_nn, text, self._around(positions, mask, text.dtype))
        return out

    def prefix(self, text: Tensor, lengths: Tensor | None = None) -> Tensor:
        """bos and the prepared text: [b, t, w] -> [b, 1 + t, w]."""
        bos = self.embedding.weight[self.config.bos].expand(text.shape[0], 1, -1)
        return torch.cat((bos, self.prepare(text, lengths)), 1)

    def prefill(self, text: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read a text [1, t, w], without padding, before the first code. Gives the last layer's
        output [1, 1 + t, w] and the flat cache (keys, values by layer, [1, 1 + t, heads, head])."""
        vectors = self.prefix(text)
        layers = growing(self.start())
        positions = torch.arange(vectors.shape[1], device=text.device)
        around = self._around(positions, None, text.dtype)
        out, _ = run_blocks(self.layers, vectors, around, layers)
        return out, flatten_new(layers)

    def start(self) -> tuple[Tensor, ...]:
        weight = self.norm.weight
        head = self.config.width // self.config.heads
        made = empty(self.config.layers, self.config.heads, head, weight.dtype)
        return tuple(tensor.to(weight.device) for tensor in made)

    def step(
        self,
        codes: Tensor,
        positions: Tensor,
        cache: Sequence[LayerCache],
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """The next code: codes [b, 1] (start first), positions [1] or [b, 1] counted from bos.

        Gives logits [b, codes + 4] and, if the config names an aligner, its weights [b, keys] over
        all keys: bos at 0, the text from 1 on, then codes. A mask is needed for a static cache.
        """
        vectors = self.embedding(codes)
        around = self._around(positions, mask, vectors.dtype)
        out, weights = run_blocks(self.layers, vectors, around, cache, self.config.aligner)
        logits: Tensor = self.out_fnn(self.norm(out[:, -1]))
        return logits, None if weights is None else weights[:, -1]

    def forward(
        self,
        text: Tensor,
        text_lengths: Tensor,
        codes: Tensor,
        return_alignment: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Teacher-forced: text [b, t, w] and codes [b, c], both right-padded (pad codes with any
        valid id; pad places are seen by padding only).

        Gives logits [b, c + 1, codes + 4] (place i predicts codes[i], the place after the last
        predicts end) and, if asked, the aligner's weights [b, c + 1, t] over the text alone.
        """
        batch, text_count = text.shape[:2]
        first = codes.new_full((batch, 1), self.config.start)
        spoken = self.embedding(torch.cat((first, codes), 1))
        vectors = torch.cat((self.prefix(text, text_lengths), spoken), 1)
        mask, positions = self._training_places(text_count, text_lengths, spoken)
        around = self._around(positions, mask, vectors.dtype)
        aligner = self.config.aligner if return_alignment else None
        out, weights = run_blocks(self.layers, vectors, around, aligner=aligner)
        logits = self.out_fnn(self.norm(out[:, 1 + text_count :]))
        if weights is not None:
            weights = weights[:, 1 + text_count :, 1 : 1 + text_count]
        return logits, weights

    def _training_places(
        self, text_count: int, text_lengths: Tensor, spoken: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Additive mask [b, 1, s, s] and positions [b, s], where codes go on after real text."""
        prefix, count = 1 + text_count, spoken.shape[1]
        there = _present(prefix, text_lengths + 1, spoken)
        keys = torch.cat((there, there.new_ones(spoken.shape[0], count)), 1)[:, None]
        places = torch.arange(prefix + count, device=spoken.device)
        order = places[None] <= places[:, None].clamp(min=prefix - 1)
        visible = keys & order
        spoken_places = text_lengths[:, None] + 1 + torch.arange(count, device=spoken.device)
        before = places[:prefix].expand(spoken.shape[0], prefix)
        return additive(visible[:, None], spoken.dtype), torch.cat((before, spoken_places), 1)


class SpeechPrefill(nn.Module):
    """Text to the flat cache, with plain tensors, for export: ids [1, t] where the decoder has its
    own text table, else vectors [1, t, w]."""

    def __init__(self, decoder: SpeechDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, text: Tensor) -> tuple[Tensor, ...]:
        if self.decoder.text_embedding is not None:
            text = self.decoder.embed_text(text)
        return self.decoder.prefill(text)[1]
