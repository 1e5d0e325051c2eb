"""A whole model: hearing, seeing, language and speech, and how they are spliced together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.adapter import AudioTower
from models.vita.codec import Codec
from models.vita.config import VitaConfig
from models.vita.language_model import LanguageModel
from models.vita.speech_decoder import SpeechDecoder
from models.vita.vision import Projector, VisionTower

BUCKET = 64  # feature frames: a segment is encoded in a multiple of them
IMAGE, SOUND = -200, -500  # what stands in token ids for the vectors of one image or one sound


class Vita(nn.Module):
    """The parts that its config names; the others are None."""

    def __init__(self, config: VitaConfig) -> None:
        super().__init__()
        width = config.language.width
        self.config = config
        self.language = LanguageModel(config.language)
        self.audio = AudioTower(config.audio, config.adapter, width)
        self.vision = VisionTower(config.vision) if config.vision else None
        self.projector = Projector(config.vision, width) if config.vision else None
        self.speech = SpeechDecoder(config.speech) if config.speech else None
        self.codec = Codec(config.codec) if config.codec else None

    def see(self, pixels: Tensor) -> Tensor:
        """Normalised tiles [n, 3, side, side] -> [n, tokens, language width].

        Raises ValueError where the checkpoint has no vision tower.
        """
        if self.vision is None or self.projector is None:
            raise ValueError("this model cannot see: its checkpoint has no vision tower")
        out: Tensor = self.projector(self.vision(pixels.to(self.language.model.norm.weight.dtype)))
        return out

    def hear(self, features: Tensor) -> Tensor:
        """One whole segment [t, 80] -> [n, language width]; n is 0 for less than 7 frames.

        The segment is padded to whole buckets, so that a GPU's libraries see few shapes.
        """
        like, count = self.language.model.norm.weight, features.shape[0]
        if count < 7:
            return like.new_zeros(0, self.config.language.width)
        padded = functional.pad(features, (0, 0, 0, -count % BUCKET))
        lengths = torch.tensor([count], device=features.device)
        vectors, counts = self.audio(padded[None], lengths)
        kept: Tensor = vectors[0, : int(counts[0])]
        return kept.to(like.dtype)

    def splice(
        self, ids: Sequence[int], images: Sequence[Tensor], sounds: Sequence[Tensor]
    ) -> Tensor:
        """Token ids with IMAGE and SOUND in them -> vectors [n, width]; the next [m, width] of
        `images` or `sounds` takes each of those places."""
        seen, heard = iter(images), iter(sounds)
        parts: list[Tensor] = []
        words: list[int] = []
        device = self.language.model.norm.weight.device
        for token in ids:
            if token not in (IMAGE, SOUND):
                words.append(token)
                continue
            parts.append(self.language.embed(torch.tensor(words, device=device, dtype=torch.long)))
            parts.append(next(seen if token == IMAGE else heard))
            words = []
        parts.append(self.language.embed(torch.tensor(words, device=device, dtype=torch.long)))
        return torch.cat(parts)
