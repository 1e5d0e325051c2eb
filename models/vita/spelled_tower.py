"""Nano's audio tower: its adapter sees the encoder's frames and the letters that they spell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.vita.adapter import AudioCache, AudioTower
from models.vita.audio_encoder import encoder_frames
from models.vita.config import AdapterConfig, AudioEncoderConfig


class SpelledTower(AudioTower):
    """An audio tower with the probabilities of its letters blended into the frames.

    So the language model can learn from simulated letters before the encoder can hear. It is
    self-conditioned CTC (arXiv 2104.02724) with the condition after the last layer only.
    """

    def __init__(
        self, audio: AudioEncoderConfig, adapter: AdapterConfig, language_width: int
    ) -> None:
        """Raises ValueError for an encoder without a letter head."""
        super().__init__(audio, adapter, language_width)
        if not audio.letters:
            raise ValueError("a spelled tower needs a letter head")
        self.spelled = nn.Linear(audio.letters, audio.width, bias=False)
        self.gate = nn.Parameter(torch.full((audio.width,), 0.1))

    def blend(self, frames: Tensor) -> Tensor:
        """Encoder frames [b, t, w] -> what the adapter takes, of the same shape."""
        out: Tensor = self.gate * frames + self.spelled(self.spell(frames).softmax(-1))
        return out

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames, counts = self.encoder(features, lengths)
        vectors, counts = self.adpter(self.blend(frames), counts)
        return vectors, counts

    def step(
        self, features: Tensor, valid: Tensor, cache: AudioCache
    ) -> tuple[Tensor, Tensor, AudioCache]:
        frames, encoder = self.encoder.step(features, valid, cache.encoder)
        there = torch.arange(frames.shape[1], device=frames.device) < encoder_frames(valid)
        frames = frames * there[None, :, None].to(frames.dtype)
        blended = self.blend(frames) * there[None, :, None].to(frames.dtype)
        vectors, tail = self.adpter.step(blended, cache.tail)
        return vectors, frames, AudioCache(encoder, tail)
