"""Vision alignment: tower and projector learn to tell what is drawn, before the mind looks.

Four heads read the mean of a picture's vectors, some of which are left out, so that every vector
comes to carry the whole; the language model can then find it anywhere. Beside them each patch says
what it is a part of and whether it is the middle of it, which is learned long before the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.training.drawing import draw
from models.training.listener import Listener
from models.training.running import Losses, Runner, Stage
from models.training.sequences import NOTHING
from models.training.skills.images import scene
from models.training.skills.scene import COLOURS, MOST, SHAPES, PictureScene
from models.vita.images import normalise, tiles
from models.vita.vision import VisionEncoder

Tile = npt.NDArray[np.uint8]  # [side, side, 3]
Patches = npt.NDArray[np.int64]  # [grid, grid]
SIZES = {"shape": len(SHAPES), "colour": len(COLOURS), "count": MOST, "digit": 10}
FILLED = 60  # of 255: how much of a patch an object fills to give it its name
KEPT = 0.8  # share of a picture's vectors that the heads may read


def pixels_of(scenes: Iterable[PictureScene], side: int) -> Tensor:
    """Pictures of scenes as the tower takes them, [n, 3, side, side]."""
    drawn = [tiles(draw(seen).pixels, 1, side)[0] for seen in scenes]
    return torch.from_numpy(normalise(np.stack(drawn)))


def labels(seen: PictureScene) -> list[int]:
    """What each head should say, in the order of SIZES; NOTHING where the question is idle."""
    colour = COLOURS.index(seen.colour)
    if seen.shape:
        return [SHAPES.index(seen.shape), colour, seen.count - 1, NOTHING]
    return [NOTHING, colour, NOTHING, seen.digit]


@dataclass(frozen=True, slots=True)
class Page:
    """A picture with what there is to say about the whole and about each patch [grid, grid]."""

    tile: Tile
    labels: list[int]
    parts: Patches  # 0: nothing, else the shape or digit that fills a good part of the patch
    middles: Patches

    def mirrored(self, random: Random) -> Page:
        """Shapes may be mirrored, digits not."""
        if self.labels[-1] != NOTHING or random.random() < 0.5:
            return self
        return Page(self.tile[:, ::-1], self.labels, self.parts[:, ::-1], self.middles[:, ::-1])


def page_of(seen: PictureScene, side: int, grid: int) -> Page:
    """A picture of training with all its labels."""
    drawing = draw(seen)
    name = SHAPES.index(seen.shape) if seen.shape else len(SHAPES) + seen.digit
    filled = Image.fromarray(drawing.mask).resize((grid, grid), Image.Resampling.BOX)
    parts = np.where(np.asarray(filled) > FILLED, name + 1, 0).astype(np.int64)
    middles = np.zeros((grid, grid), np.int64)
    for x, y in drawing.centres:
        middles[min(grid - 1, int(y * grid)), min(grid - 1, int(x * grid))] = 1
    return Page(tiles(drawing.pixels, 1, side)[0], labels(seen), parts, middles)


@dataclass(slots=True)
class Album:
    """Batches of pictures: some drawn anew, the others seen before, so that drawing is no brake."""

    random: Random
    side: int
    grid: int
    fresh: int = 12
    again: int = 36
    kept: int = 30_000
    _pages: list[Page] = field(default_factory=list, init=False)

    def batch(self) -> list[Page]:
        new = [page_of(self._scene(), self.side, self.grid) for _ in range(self.fresh)]
        old = self.random.sample(self._pages, min(self.again, len(self._pages)))
        self._pages = [*self._pages, *new][-self.kept :]
        return [*new, *(page.mirrored(self.random) for page in old)]

    def _scene(self) -> PictureScene:
        """Single shapes are large and the hardest to name: more of them."""
        seen = scene(self.random)
        return replace(seen, count=1) if self.random.random() < 0.25 else seen


def stacked(arrays: Iterable[npt.NDArray[np.int64]]) -> Tensor:
    return torch.from_numpy(np.stack(list(arrays)))


class Heads(nn.Module):
    """What the vectors [n, tokens, width] of pictures say: scores of each question."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, sum(SIZES.values()))

    def forward(self, vectors: Tensor) -> tuple[Tensor, ...]:
        kept = torch.ones(vectors.shape[:2], dtype=vectors.dtype, device=vectors.device)
        if self.training:
            kept = (torch.rand_like(kept) < KEPT).to(kept.dtype)
            kept[:, 0] = 1
        mean = (vectors * kept[:, :, None]).sum(1) / kept.sum(1, keepdim=True)
        scores: Tensor = self.out(self.norm(mean))
        return torch.tensor_split(scores, tuple(accumulate(SIZES.values()))[:-1], -1)


class Looking:
    """Losses of one batch of pictures after another."""

    def __init__(self, eyes: VisionEncoder, album: Album, device: str) -> None:
        self.eyes, self.album, self.device = eyes, album, device
        config = eyes.vision.config
        last = eyes.projector[-1]
        assert isinstance(last, nn.Linear)
        self.heads = Heads(last.out_features)
        self.patches = nn.Linear(config.width, 1 + len(SHAPES) + 10 + 2)

    def losses(self) -> Losses:
        pages = self.album.batch()
        pixels = torch.from_numpy(normalise(np.stack([page.tile for page in pages])))
        with sdpa_kernel(SDPBackend.MATH):
            hidden = self.eyes.vision.hidden(pixels.to(self.device, torch.bfloat16))
        vectors = self.eyes.projector(self.eyes.vision.folded(hidden))
        wanted = torch.tensor([page.labels for page in pages])
        found = self._of_patches(self.patches(hidden[:, 1:]).float(), pages)
        for name, scores, target in zip(SIZES, self.heads(vectors), wanted.T, strict=True):
            loss = functional.cross_entropy(scores.float(), target.to(self.device))
            if bool((target != NOTHING).any()):
                found[name] = loss
        return found

    def _of_patches(self, scores: Tensor, pages: Sequence[Page]) -> Losses:
        """scores [n, patches, names + 2]."""
        parts = stacked(page.parts for page in pages).to(self.device)
        middles = stacked(page.middles for page in pages).to(self.device)
        names, middle = scores[..., :-2].flatten(0, 1), scores[..., -2:].flatten(0, 1)
        rare = torch.tensor([1.0, 4.0], device=self.device)
        weights = torch.ones(names.shape[1], device=self.device)
        weights[0] = 0.2  # most patches show nothing
        return {
            "part": functional.cross_entropy(names, parts.flatten(), weights),
            "middle": functional.cross_entropy(middle, middles.flatten(), rare),
        }


def see(listener: Listener, folder: Path, stage: Stage, seed: int, resume: bool) -> Heads:
    """Train the eyes of a listener; gives the heads that were trained along."""
    assert listener.eyes is not None and listener.config.vision is not None
    listener.requires_grad_(False)
    listener.eyes.requires_grad_(True)
    vision = listener.config.vision
    looking = Looking(listener.eyes, Album(Random(seed), vision.image, vision.grid), stage.device)
    extra = nn.ModuleList([looking.heads, looking.patches])
    Runner(stage, listener, folder, extra).run(looking.losses, resume)
    return looking.heads


@torch.no_grad()
def recognised(
    listener: Listener, heads: Heads, count: int = 1000, seed: int = 5
) -> dict[str, float]:
    """The share of held-out pictures that each head names rightly."""
    assert listener.eyes is not None
    eyes, heads, random = listener.eyes.eval().float(), heads.eval().float(), Random(seed)
    right, asked = dict.fromkeys(SIZES, 0), dict.fromkeys(SIZES, 0)
    for _ in range(count):
        seen = scene(random, held_out=True)
        scores = heads(eyes(pixels_of([seen], eyes.vision.config.image)))
        for name, given, wanted in zip(SIZES, scores, labels(seen), strict=True):
            asked[name] += wanted != NOTHING
            right[name] += int(given.argmax()) == wanted
    return {name: right[name] / max(1, asked[name]) for name in SIZES}
