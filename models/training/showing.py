"""Vision alignment, second part: the projector learns to be read by a mind that stays as it is.

As in VITA's first stage tower and language model are frozen. What the tower makes of a gallery of
pictures is computed once; conversations are about pictures of the gallery.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from models.training.instruction import MaterialShares, Tuning
from models.training.listener import Listener
from models.training.running import Runner, Stage
from models.training.sequences import NOTHING, Sequence, Writer
from models.training.sight import pixels_of
from models.training.simulation import Simulated, simulate
from models.training.skills import images
from models.training.skills.scene import PictureScene
from models.vita.nano_prompt import NanoPrompt

TOKENS = 600  # places in a batch
SPOKEN = 0.25  # share of simulated sound
CHINESE = 0.15
MOST_FRAMES = 4


class Gallery:
    """Pictures and what the tower makes of them, [n, tokens, projector width]."""

    def __init__(self, listener: Listener, count: int, seed: int) -> None:
        assert listener.eyes is not None
        self.random = Random(seed)
        self.scenes = [images.scene(self.random) for _ in range(count)]
        self._places = {scene: place for place, scene in enumerate(self.scenes)}
        self._seen = self._look(listener)

    def seen(self, scenes: Many[PictureScene]) -> Tensor:
        return self._seen[[self._places[scene] for scene in scenes]]

    @torch.no_grad()
    def _look(self, listener: Listener, batch: int = 64) -> Tensor:
        assert listener.eyes is not None
        tower = listener.eyes.vision
        parts = [
            tower(pixels_of(self.scenes[at : at + batch], tower.config.image))
            for at in range(0, len(self.scenes), batch)
        ]
        return torch.cat(parts).to(torch.bfloat16)


class GalleryMaterial:
    """Endless conversations about pictures of a gallery."""

    def __init__(self, gallery: Gallery, prompt: NanoPrompt, seed: int) -> None:
        self._gallery, self._writer = gallery, Writer(prompt, seed)
        self._random, self._draw = Random(seed), np.random.default_rng(seed)

    def __call__(self) -> Sequence:
        random, sequence = self._random, self._writer.opening(())
        shown = tuple(random.choice(self._gallery.scenes) for _ in range(self._count()))
        for turn in range(2 if random.random() < 0.3 else 1):
            asked = images.about(shown[-1], random, chinese=random.random() < CHINESE)
            asked = replace(asked, scenes=() if turn else shown)
            self._writer.exchange(sequence, asked, self._said(asked.question))
        sequence.words = sequence.states = [NOTHING] * len(sequence)  # the answers alone count
        return sequence

    def _count(self) -> int:
        return 1 if self._random.random() < 0.85 else self._random.randint(2, MOST_FRAMES)

    def _said(self, text: str) -> Simulated | None:
        return simulate(self._draw, text) if self._random.random() < SPOKEN else None


class Showing(Tuning):
    """Losses of answers about a gallery's pictures."""

    def __init__(self, listener: Listener, gallery: Gallery, prompt: NanoPrompt, seed: int) -> None:
        material = GalleryMaterial(gallery, prompt, seed)
        super().__init__(listener, material, "cpu", MaterialShares(tokens=TOKENS))
        self._gallery = gallery

    def look(self, scenes: Many[PictureScene]) -> Tensor:
        assert self.listener.eyes is not None
        vectors: Tensor = self.listener.eyes.projector(self._gallery.seen(scenes))
        return vectors


def show(
    listener: Listener, prompt: NanoPrompt, folder: Path, stage: Stage, pictures: int, seed: int
) -> None:
    """Train the projector of a listener on answers about `pictures` pictures."""
    assert listener.eyes is not None
    gallery = Gallery(listener, pictures, seed)
    listener.requires_grad_(False)
    listener.eyes.projector.requires_grad_(True)
    showing = Showing(listener, gallery, prompt, seed + 1)
    Runner(stage, listener, folder).run(showing.losses)
