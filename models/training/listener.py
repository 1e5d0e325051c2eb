"""Nano's ears and mind as one module: audio tower and language model, and their sizes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.vita.audio_encoder import EncoderTransformer
from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    LanguageModelConfig,
    StateTokens,
    VisionConfig,
    VitaConfig,
)
from models.vita.language_model import LanguageModel
from models.vita.spelled_tower import SpelledTower
from models.vita.vision import VisionEncoder

ALPHABET = " abcdefghijklmnopqrstuvwxyz'"  # letter ids are places here plus one; 0 is the blank
LETTERS = len(ALPHABET) + 1
EYES = VisionConfig(
    width=128, layers=3, heads=4, feed_forward=512, image=64, patch=8, stem=(32, 64, 128)
)


def nano_config() -> VitaConfig:
    """The sizes of nano's ears and mind."""
    return VitaConfig(
        audio=AudioEncoderConfig(
            width=256, layers=6, heads=4, feed_forward=1024, subsampling_channels=32, chunk=4,
            left_chunks=16, position="rotary", letters=LETTERS,
        ),
        adapter=AdapterConfig(width=512, padding="left"),
        language=LanguageModelConfig(
            vocabulary=2048, width=256, layers=6, heads=4, key_value_heads=4, feed_forward=1024,
            rotary_base=10_000.0, positions=2048, tied=True,
        ),
        states=StateTokens(query=2, noise=3, text=4, unfinished=5),
        template="nano",
        vision=EYES,
    )  # fmt: skip


def letter_ids(text: str) -> list[int]:
    """What the letter head should spell for a text; signs that it does not know are left out."""
    return [ALPHABET.index(letter) + 1 for letter in text.lower() if letter in ALPHABET]


class Listener(nn.Module):
    """tower: sound to vectors; eyes: a picture to vectors; language: vectors to answers."""

    def __init__(self, config: VitaConfig) -> None:
        super().__init__()
        self.config = config
        self.tower = SpelledTower(config.audio, config.adapter, config.language.width)
        self.language = LanguageModel(config.language)
        self.language.initialise()
        self.eyes = VisionEncoder(config.vision, config.language.width) if config.vision else None
        transformer = self.tower.encoder.enc[1]
        assert isinstance(transformer, EncoderTransformer)
        with torch.no_grad():  # the encoder multiplies by the root of its width: start at one
            for part in transformer.embed:
                if isinstance(part, nn.LayerNorm):
                    part.weight.fill_(config.audio.width**-0.5)

    def frames(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encoder frames [b, t, w], letter scores [b, t, letters], lengths [b]."""
        frames, counts = self.tower.encoder(features, lengths)
        return frames, self.tower.spell(frames), counts

    def vectors_of_letters(self, letters: Tensor, lengths: Tensor) -> Tensor:
        """Sound vectors as if the encoder had spelled `letters` [b, t, letters] and no more."""
        vectors, _ = self.tower.adpter(self.tower.spelled(letters), lengths)
        return torch.as_tensor(vectors)

    def take_ears(self, other: Listener) -> None:
        """Encoder and letters of another listener."""
        self.tower.encoder.load_state_dict(other.tower.encoder.state_dict())
        assert self.tower.letters is not None and other.tower.letters is not None
        self.tower.letters.load_state_dict(other.tower.letters.state_dict())

    def freeze_ears(self) -> None:
        """Encoder and letters learn no more; the adapter does."""
        self.tower.encoder.requires_grad_(False)
        if self.tower.letters is not None:
            self.tower.letters.requires_grad_(False)

    def take_eyes(self, other: Listener) -> None:
        """A copy of another listener's eyes, whether this one had any or not."""
        self.config = replace(self.config, vision=other.config.vision)
        self.eyes = deepcopy(other.eyes)

    def save(self, path: Path, **more: Any) -> None:
        """Weights in full precision and the configuration, written at once or not at all."""
        weights = {name: tensor.float() for name, tensor in self.state_dict().items()}
        part = path.with_suffix(".part")
        torch.save({"config": self.config.to_json(), "weights": weights, **more}, part)
        part.rename(path)

    @classmethod
    def load(cls, path: Path) -> Listener:
        stored = torch.load(path, weights_only=True, map_location="cpu")
        listener = cls(VitaConfig.from_json(stored["config"]))
        listener.load_state_dict(stored["weights"])
        return listener


def describe(listener: Listener) -> str:
    """Parameters of each part, as JSON."""
    count = {
        name: sum(p.numel() for p in part.parameters()) for name, part in listener.named_children()
    }
    return json.dumps(count)
