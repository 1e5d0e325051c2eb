"""The audio encoder: log-mel frames in, one vector for each 40 ms out; whole or in chunks."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.blocks import additive, rotary_tables, rotate
from models.vita.config import FEATURES, AudioEncoderConfig

ROTARY_BASE = 10_000.0


class EncoderCache(NamedTuple):
    """What a streaming step needs of the past; sizes never change.

    keys, values [layers, b, heads, left, head]; position [1]: encoder frames heard so far.
    """

    keys: Tensor
    values: Tensor
    position: Tensor


def encoder_frames(features: Tensor) -> Tensor:
    """How many encoder frames come out of so many feature frames (int tensors)."""
    return (((features - 1) // 2 - 1) // 2).clamp(min=0)


def chunk_mask(length: int, chunk: int, left_chunks: int, device: torch.device) -> Tensor:
    """Boolean [length, length]: row i sees its own chunk and `left_chunks` before it."""
    of = torch.arange(length, device=device) // chunk
    behind = of[:, None] - of[None, :]
    return (behind >= 0) & (behind <= left_chunks)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Sine on even and cosine on odd places: [n] -> [n, width]."""
    even = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32)
    angles = positions.to(torch.float32)[:, None] * torch.exp(even * -(math.log(10_000.0) / width))
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)


class GlobalCmvn(nn.Module):
    """Mean and variance normalisation with statistics fixed in training."""

    mean: Tensor
    istd: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("istd", torch.ones(FEATURES))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) * self.istd


class SubsamplingCore(nn.Module):
    """Two 3x3 convolutions of stride 2: [b, t, 80] -> [b, ((t-1)//2-1)//2, width]."""

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        channels = config.channels
        self.conv = nn.Sequential(
            nn.Conv2d(1, channels, 3, 2), nn.ReLU(), nn.Conv2d(channels, channels, 3, 2), nn.ReLU()
        )
        bins = ((FEATURES - 1) // 2 - 1) // 2
        self.out = nn.Sequential(nn.Linear(channels * bins, config.width))

    def forward(self, features: Tensor) -> Tensor:
        planes: Tensor = self.conv(features[:, None])
        out: Tensor = self.out(planes.transpose(1, 2).flatten(2))
        return out


class Subsampling(nn.Module):
    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.core = SubsamplingCore(config)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.core(features)
        return out


class EncoderAttention(nn.Module):
    """Attention with one of two notions of position.

    Unshifted (VITA): score = (q+u)·k + (q+v)·p, where p is the projected sinusoid of the key's own
    index. With s = k+p that is (q+u)·s + (v-u)·p, a plain product plus a bias for each key, so the
    fused kernel applies and a cache needs s only. Rotary: as in the language model.
    """

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.width // config.heads
        self.unshifted = config.position == "unshifted"
        self.linear_q = nn.Linear(config.width, config.width)
        self.linear_k = nn.Linear(config.width, config.width)
        self.linear_v = nn.Linear(config.width, config.width)
        self.linear_out = nn.Linear(config.width, config.width)
        if self.unshifted:
            self.linear_pos = nn.Linear(config.width, config.width, bias=False)
            self.pos_bias_u = nn.Parameter(torch.zeros(self.heads, self.width))
            self.pos_bias_v = nn.Parameter(torch.zeros(self.heads, self.width))

    def project(self, x: Tensor, tables: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys with their position in them, values; each [b, heads, n, head]."""
        shape = (*x.shape[:2], self.heads, self.width)
        queries, keys = self.linear_q(x).view(shape), self.linear_k(x).view(shape)
        if self.unshifted:
            queries = queries + self.pos_bias_u
            keys = keys + self.linear_pos(tables[0]).view(1, -1, self.heads, self.width)
        else:
            queries, keys = (
                rotate(queries, tables[0], tables[1]),
                rotate(keys, tables[0], tables[1]),
            )
        values = self.linear_v(x).view(shape)
        return queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)

    def bias(self, window: Tensor) -> Tensor:
        """Unshifted only: what each key adds, [1, heads, 1, keys]; window: sinusoids [keys, w]."""
        places = self.linear_pos(window).view(-1, self.heads, self.width)
        scores: Tensor = torch.einsum("khd,hd->hk", places, self.pos_bias_v - self.pos_bias_u)
        return scores[None, :, None] * (1 / math.sqrt(self.width))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        out: Tensor = self.linear_out(mixed.transpose(1, 2).flatten(2))
        return out


class EncoderFeedForward(nn.Module):
    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.w_1 = nn.Linear(config.width, config.feed_forward)
        self.w_2 = nn.Linear(config.feed_forward, config.width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(functional.relu(self.w_1(x)))
        return out


class EncoderLayer(nn.Module):
    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.self_attn = EncoderAttention(config)
        self.feed_forward = EncoderFeedForward(config)
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        tables: tuple[Tensor, ...],
        window: Tensor,
        mask: Tensor,
        past: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [b, n, w]; window: sinusoids of all keys (unshifted). Gives x and all keys, values."""
        attention = self.self_attn
        queries, keys, values = attention.project(self.norm1(x), tables)
        if past is not None:
            keys, values = torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)
        if attention.unshifted:
            mask = mask + attention.bias(window)
        x = x + self.dropout(attention.attend(queries, keys, values, mask))
        return x + self.dropout(self.feed_forward(self.norm2(x))), keys, values


class EncoderTransformer(nn.Module):
    """The pre-norm layers over subsampled frames."""

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.LayerNorm(config.width),
            nn.Dropout(config.dropout),
            nn.ReLU(),
        )
        self.encoders = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.after_norm = nn.LayerNorm(config.width)

    def _tables(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
        config = self.config
        if config.position == "unshifted":
            return (sinusoids(positions, config.width).to(dtype),)
        return rotary_tables(positions, config.width // config.heads, ROTARY_BASE, dtype)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        count = x.shape[1]
        positions = torch.arange(count, device=x.device)
        visible = (positions < lengths[:, None])[:, None, None]  # [b, 1, 1, keys]
        if self.config.chunk is not None:
            chunks = chunk_mask(count, self.config.chunk, self.config.left_chunks, x.device)
            visible = visible & chunks
        mask, tables = additive(visible, x.dtype), self._tables(positions, x.dtype)
        x = self.embed(x) * math.sqrt(self.config.width)
        for layer in self.encoders:
            x, _, _ = layer(x, tables, tables[0], mask)
        out: Tensor = self.after_norm(x)
        return out

    def step(self, x: Tensor, frames: Tensor, cache: EncoderCache) -> tuple[Tensor, EncoderCache]:
        """One chunk [b, chunk, w], of which the first `frames` [1] are there."""
        left, chunk = self.config.left, x.shape[1]
        new = torch.arange(chunk, device=x.device)
        window = torch.arange(left + chunk, device=x.device) - left + cache.position
        visible = torch.cat((window[:left] >= 0, new < frames))[None, None, None]
        mask, tables = additive(visible, x.dtype), self._tables(new + cache.position, x.dtype)
        places = self._tables(window, x.dtype)[0]
        x = self.embed(x) * math.sqrt(self.config.width)
        keys, values = [], []
        for index, layer in enumerate(self.encoders):
            past = (cache.keys[index], cache.values[index])
            x, layer_keys, layer_values = layer(x, tables, places, mask, past)
            keys.append(layer_keys[:, :, chunk:])
            values.append(layer_values[:, :, chunk:])
        later = EncoderCache(torch.stack(keys), torch.stack(values), cache.position + frames)
        return self.after_norm(x), later


class AudioEncoder(nn.Module):
    """features [b, t, 80] (log-mel, not normalised) -> [b, t', width]."""

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.global_cmvn = GlobalCmvn()
        self.enc = nn.ModuleList((Subsampling(config), EncoderTransformer(config)))

    @property
    def transformer(self) -> EncoderTransformer:
        return cast(EncoderTransformer, self.enc[1])

    def subsample(self, features: Tensor) -> Tensor:
        """Normalised in the precision of the statistics, which may be higher than the rest's."""
        normalised = self.global_cmvn(features).to(self.transformer.after_norm.weight.dtype)
        out: Tensor = self.enc[0](normalised)
        return out

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Right-padded batch and its lengths [b] in feature frames (at least 7 in all)."""
        frames = encoder_frames(lengths)
        return self.transformer(self.subsample(features), frames), frames

    def step(
        self, features: Tensor, valid: Tensor, cache: EncoderCache
    ) -> tuple[Tensor, EncoderCache]:
        """One chunk: features [b, 4 * chunk + 3, 80], the first `valid` [1] of which are sound.

        The next step starts 4 * chunk feature frames later. A partial chunk (valid smaller than
        all) is zero-padded and must be the last one; drop its cache to go on from before it.
        """
        frames = encoder_frames(valid).clamp(max=self.config.chunk or 0)
        return self.transformer.step(self.subsample(features), frames, cache)

    def start(self, batch: int = 1, device: torch.device | None = None) -> EncoderCache:
        """The cache before the first chunk. Raises ValueError for a full-attention encoder."""
        if self.config.chunk is None:
            raise ValueError("this audio encoder attends to the whole segment: it cannot stream")
        config, weight = self.config, self.transformer.after_norm.weight
        head = config.width // config.heads
        shape = (config.layers, batch, config.heads, config.left, head)
        zeros = weight.new_zeros(shape, device=device)
        position = torch.zeros(1, dtype=torch.long, device=zeros.device)
        return EncoderCache(zeros, zeros.clone(), position)
