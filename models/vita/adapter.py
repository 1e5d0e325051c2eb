"""The adapter from encoder frames to language-model vectors, and the two as one audio tower."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.audio_encoder import AudioEncoder, EncoderCache, encoder_frames
from models.vita.config import AdapterConfig, AudioEncoderConfig


class AudioCache(NamedTuple):
    """Everything that the audio tower remembers; `tail` is the adapter's last frames [b, 4, w]."""

    encoder: EncoderCache
    tail: Tensor


class Adapter(nn.Module):
    """frames [b, t, audio width] -> [b, ceil(t / 2), language width]."""

    def __init__(self, config: AdapterConfig, frame_width: int, language_width: int) -> None:
        super().__init__()
        self.config = config
        self.conv1d2 = nn.Conv1d(frame_width, config.width, config.kernel, config.stride)
        self.bn2 = nn.LayerNorm(config.width, eps=1e-3)
        self.project = nn.Linear(config.width, language_width)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Right-padded batch and its lengths [b] in frames."""
        there = torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]
        frames = frames * there[..., None].to(frames.dtype)
        reach = self.config.kernel - 1
        sides = (reach, 0) if self.config.padding == "left" else (0, reach)
        padded = functional.pad(frames, (0, 0, *sides))
        return self._convolve(padded), (lengths + 1) // self.config.stride

    def step(self, frames: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """frames [b, even n, w] after `tail` [b, 4, w]: n / 2 vectors and the next tail."""
        joined = torch.cat((tail, frames), 1)
        return self._convolve(joined), joined[:, -(self.config.kernel - 1) :]

    def _convolve(self, padded: Tensor) -> Tensor:
        narrow = self.conv1d2(padded.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.project(functional.gelu(self.bn2(narrow)))
        return out


class AudioTower(nn.Module):
    """Encoder and adapter: sound as the language model takes it, 12.5 vectors a second."""

    def __init__(
        self, audio: AudioEncoderConfig, adapter: AdapterConfig, language_width: int
    ) -> None:
        super().__init__()
        self.config = audio
        self.encoder = AudioEncoder(audio)
        self.adpter = Adapter(adapter, audio.width, language_width)  # so spelt in the checkpoints
        self.letters = nn.Linear(audio.width, audio.letters) if audio.letters else None

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """features [b, t, 80], lengths [b] in frames -> vectors [b, n, language width], lengths."""
        vectors, counts = self.adpter(*self.encoder(features, lengths))
        return vectors, counts

    def spell(self, frames: Tensor) -> Tensor:
        """Letter scores [b, t, letters] (0 is the blank) of encoder frames."""
        if self.letters is None:
            raise ValueError("this checkpoint has no letter head")
        out: Tensor = self.letters(frames)
        return out

    def start(self, batch: int = 1, device: torch.device | None = None) -> AudioCache:
        """The cache before the first chunk. Raises ValueError where the tower cannot stream."""
        if self.adpter.config.padding != "left":
            raise ValueError("this adapter looks ahead: it cannot stream")
        cache = self.encoder.start(batch, device)
        reach = self.adpter.config.kernel - 1
        return AudioCache(cache, cache.keys.new_zeros(batch, reach, self.config.width))

    def step(
        self, features: Tensor, valid: Tensor, cache: AudioCache
    ) -> tuple[Tensor, Tensor, AudioCache]:
        """One chunk, as in AudioEncoder.step: vectors [b, chunk / 2, language width], encoder
        frames [b, chunk, w], and the next cache.

        Of a partial chunk with m = encoder_frames(valid) frames, the first ceil(m / 2) vectors and
        the first m frames count.
        """
        frames, encoder = self.encoder.step(features, valid, cache.encoder)
        there = torch.arange(frames.shape[1], device=frames.device) < encoder_frames(valid)
        frames = frames * there[None, :, None].to(frames.dtype)
        vectors, tail = self.adpter.step(frames, cache.tail)
        return vectors, frames, AudioCache(encoder, tail)
