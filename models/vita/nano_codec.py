"""Nano's codec: acoustic features to one code every 25 ms, and back (the vocoder makes sound)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.code_stream import EDGE, LEFT, RIGHT
from models.vita.vocoder import FEATURES, FRAMES_PER_CODE, VOICING

CODES = 1024
_LATENT = 64
_WIDTH = 256
_KERNELS = (5, 3, 3)  # the first looks RIGHT codes ahead, the others only back
_DECAY = 0.97  # of the codebook's running means
_DEAD = 0.05  # uses a step; a code used less is put where the sound is


class FeatureDecoder(nn.Module):
    """Codes [b, LEFT + n + RIGHT] -> features [b, n * FRAMES_PER_CODE, FEATURES], in the units of
    the vocoder. Nothing is padded inside: where an answer begins or ends, the caller puts EDGE."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(EDGE + 1, _LATENT)
        widths = (_LATENT, _WIDTH, _WIDTH, _WIDTH)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(widths[i], widths[i + 1], kernel) for i, kernel in enumerate(_KERNELS)
        )
        self.out = nn.Linear(_WIDTH, FRAMES_PER_CODE * FEATURES)
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))

    def forward(self, codes: Tensor) -> Tensor:
        return self.scaled(self.normal(self.embedding(codes)))

    def normal(self, latents: Tensor) -> Tensor:
        """Latents [b, LEFT + n + RIGHT, d] -> normalised features; voicing as a logit."""
        x = latents.transpose(1, 2)
        for convolution, kernel in zip(self.convolutions, _KERNELS, strict=True):
            y = functional.gelu(convolution(x))
            reach = kernel - 1
            x = y + x[..., reach:] if y.shape[1] == x.shape[1] else y
        out: Tensor = self.out(x.transpose(1, 2))
        return out.reshape(out.shape[0], -1, FEATURES)

    def scaled(self, normal: Tensor) -> Tensor:
        voicing = normal[..., VOICING:].sigmoid()
        scaled = normal[..., :VOICING] * self.deviation[:VOICING] + self.mean[:VOICING]
        return torch.cat((scaled, voicing), -1)


class FeatureEncoder(nn.Module):
    """Normalised features [b, n * FRAMES_PER_CODE, FEATURES] -> latents [b, n, d]."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Conv1d(FEATURES, _WIDTH, 5, padding=2)
        self.codes = nn.Conv1d(_WIDTH, _WIDTH, FRAMES_PER_CODE, stride=FRAMES_PER_CODE)
        self.around = nn.Conv1d(_WIDTH, _WIDTH, 3, padding=1)
        self.out = nn.Linear(_WIDTH, _LATENT)

    def forward(self, features: Tensor) -> Tensor:
        x = functional.gelu(self.frames(features.transpose(1, 2)))
        x = functional.gelu(self.codes(x))
        x = x + functional.gelu(self.around(x))
        out: Tensor = self.out(x.transpose(1, 2))
        return out


class NanoCodec(nn.Module):
    """Both directions and the codebook, which is the decoder's embedding (running means, so it
    takes no gradient). Source of the quantiser: van den Oord and others, 2017, appendix A."""

    uses: Tensor
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = FeatureEncoder()
        self.decoder = FeatureDecoder()
        self.decoder.embedding.weight.requires_grad_(False)
        self.register_buffer("uses", torch.ones(CODES))
        self.register_buffer("sums", torch.zeros(CODES, _LATENT))

    @property
    def codebook(self) -> Tensor:
        return self.decoder.embedding.weight[:CODES]

    def normalise(self, features: Tensor) -> Tensor:
        return (features - self.decoder.mean) / self.decoder.deviation

    def encode(self, features: Tensor) -> Tensor:
        """Features [b, n * FRAMES_PER_CODE, FEATURES] -> codes [b, n]."""
        return self.nearest(self.encoder(self.normalise(features)))

    def nearest(self, latents: Tensor) -> Tensor:
        """The code next to each latent [..., d] -> [...]."""
        flat = latents.flatten(0, -2)
        distance = self.codebook.square().sum(1) - 2 * flat @ self.codebook.T
        return distance.argmin(1).view(latents.shape[:-1])

    def decode(self, codes: Tensor) -> Tensor:
        """Whole answers [b, n] -> features [b, n * FRAMES_PER_CODE, FEATURES]."""
        out: Tensor = self.decoder(functional.pad(codes, (LEFT, RIGHT), value=EDGE))
        return out

    @torch.no_grad()
    def start_codebook(self, latents: Tensor) -> None:
        """Put the codes on latents [many, d] drawn at random."""
        chosen = torch.randperm(len(latents))[:CODES]
        self.codebook.copy_(latents[chosen])
        self.sums.copy_(latents[chosen])
        self.uses.fill_(1.0)

    @torch.no_grad()
    def follow(self, latents: Tensor, codes: Tensor) -> None:
        """Move the codebook to the running mean of its latents; revive what nobody uses."""
        flat, chosen = latents.flatten(0, -2), codes.flatten()
        count = torch.bincount(chosen, minlength=CODES).to(flat.dtype)
        total = torch.zeros_like(self.sums).index_add_(0, chosen, flat)
        self.uses.lerp_(count, 1 - _DECAY)
        self.sums.lerp_(total, 1 - _DECAY)
        dead = (self.uses < _DEAD).nonzero()[:, 0]
        if len(dead):
            drawn = torch.randint(len(flat), (len(dead),))
            self.sums[dead], self.uses[dead] = flat[drawn], 1.0
        self.codebook.copy_(self.sums / self.uses[:, None].clamp(min=1e-5))
