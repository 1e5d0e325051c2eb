"""Learns to spell (CTC) from shards of frames, and counts what is spelled wrong."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.engines.letter_transcript import UNSPELLED
from models.moonshine import WIDTH
from models.training.alignment import spelling_loss
from models.training.pinyin_ears.frames import FramedClip, Shard
from models.training.pinyin_ears.network import SpellingNetwork
from models.training.scoring import word_errors

logger = logging.getLogger(__name__)

BATCH_FRAMES = 2_000
NEURAL = 3.0  # how much likelier a clip of a neural voice is drawn
WARM_STEPS, HELD = 150, 0.3  # the rate is held for that share, then falls to nothing
WEIGHTS = "pinyin.pt"
SAVED_EVERY_S = 120.0
_DRAWN = 1_024  # clips that are sorted by length at a time
_HISS, _GAPS, _LONGEST_GAP, _LOST = 0.03, 2, 6, 20  # how frames are spoiled, see _batch


@dataclass(frozen=True, slots=True)
class Lesson:
    """How long a run takes, how fast it learns, and what is drawn."""

    minutes: float
    rate: float = 1.2e-3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """One clip and its shard."""

    shard: Shard
    clip: FramedClip

    @property
    def frames(self) -> npt.NDArray[np.float16]:
        return self.shard.frames[self.clip.start : self.clip.start + self.clip.size]


def places_of(shards: Sequence[Shard]) -> list[Place]:
    """All clips that are long enough for their letters."""
    return [Place(s, c) for s in shards for c in s.clips if 0 < len(c.letters) < c.size]


def learn(
    network: SpellingNetwork,
    taught: Sequence[Place],
    held_out: Sequence[Place],
    target: Path,
    lesson: Lesson,
) -> dict[str, float]:
    """Train; writes the weights to `target` with the ending .pt, and losses with .json, now and
    then. Gives the shares of letters and of syllables that are wrong on what was held out."""
    random, begun = np.random.default_rng(lesson.seed), time.monotonic()
    adam = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), weight_decay=0.02)
    batches, losses, rows = _batches(taught, random), list[float](), list[dict[str, float]]()
    saved = begun
    while (passed := (time.monotonic() - begun) / (60 * lesson.minutes)) < 1:
        for group in adam.param_groups:
            group["lr"] = lesson.rate * min(1.0, len(losses) / WARM_STEPS) * _fallen(passed)
        loss = _loss(network, next(batches), random)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()
        losses.append(float(loss.detach()))
        if time.monotonic() - saved > SAVED_EVERY_S:
            saved = time.monotonic()
            rows.append(_row(network, losses, held_out, saved - begun))
            _keep(network, rows, target)
    rows.append(_row(network, losses, held_out, time.monotonic() - begun))
    _keep(network, rows, target)
    return rows[-1]


def wrong(network: SpellingNetwork, places: Sequence[Place]) -> tuple[float, float]:
    """Shares of letters and of syllables that are spelled wrong."""
    network.eval()
    counts = np.zeros(4)
    with torch.inference_mode():
        for place in places:
            scores = network(torch.from_numpy(place.frames.astype(np.float32))[None])[0]
            said, wanted = UNSPELLED.grown(scores.numpy()).text, place.clip.letters
            counts += (
                word_errors(list(wanted), list(said)), len(wanted),
                word_errors(wanted.split(), said.split()), len(wanted.split()),
            )  # fmt: skip
    network.train()
    return float(counts[0] / counts[1]), float(counts[2] / counts[3])


def load(path: Path) -> SpellingNetwork:
    kept = torch.load(path, weights_only=True, map_location="cpu")
    network = SpellingNetwork(kept["width"], kept["layers"])
    network.load_state_dict(kept["weights"])
    return network.eval()


def save(network: SpellingNetwork, path: Path) -> None:
    weights = {name: tensor.float() for name, tensor in network.state_dict().items()}
    torch.save({"width": network.width, "layers": network.layers, "weights": weights}, path)


def mean_of(paths: Sequence[Path]) -> SpellingNetwork:
    """The mean of weights that have one beginning."""
    networks = [load(path) for path in paths]
    every = [network.state_dict() for network in networks]
    mean = {name: torch.stack([each[name] for each in every]).mean(0) for name in every[0]}
    networks[0].load_state_dict(mean)
    return networks[0]


def _batches(places: Sequence[Place], random: np.random.Generator) -> Iterator[list[Place]]:
    """Endless batches of clips of nearly one length."""
    weights = np.array([NEURAL if "kokoro" in place.clip.voice else 1.0 for place in places])
    while True:
        count = min(_DRAWN, len(places))
        drawn = random.choice(len(places), count, p=weights / weights.sum(), replace=False)
        chosen = sorted((places[number] for number in drawn), key=lambda place: place.clip.size)
        batches: list[list[Place]] = [[]]
        for place in chosen:
            if batches[-1] and (len(batches[-1]) + 1) * place.clip.size > BATCH_FRAMES:
                batches.append([])
            batches[-1].append(place)
        for number in random.permutation(len(batches)):
            yield batches[number]


def _loss(network: SpellingNetwork, batch: list[Place], random: np.random.Generator) -> Tensor:
    frames, there = _batch(batch, random)
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(frames, there)
    return spelling_loss(scores, there.sum(1).long(), [place.clip.letters for place in batch])


def _batch(places: list[Place], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Right-padded frames [b, t, 288], with hiss, gaps in time and lost values, and where there is
    sound [b, t]."""
    longest = max(place.clip.size for place in places)
    frames = np.zeros((len(places), longest, WIDTH), np.float32)
    there = np.zeros((len(places), longest), np.float32)
    for row, place in enumerate(places):
        size = place.clip.size
        frames[row, :size] = place.frames + random.normal(0, _HISS, (size, WIDTH))
        there[row, :size] = 1.0
        for _ in range(_GAPS):
            start = int(random.integers(size))
            frames[row, start : start + int(random.integers(_LONGEST_GAP))] = 0.0
        if random.random() < 0.3:
            frames[row][:, random.integers(0, WIDTH, _LOST)] = 0.0
    return torch.from_numpy(frames), torch.from_numpy(there)


def _fallen(passed: float) -> float:
    """Held, then a cosine down to nothing."""
    if passed < HELD:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (passed - HELD) / (1 - HELD)))


def _row(
    network: SpellingNetwork, losses: list[float], held_out: Sequence[Place], seconds: float
) -> dict[str, float]:
    letters, syllables = wrong(network, held_out)
    row = {
        "step": len(losses),
        "seconds": round(seconds),
        "loss": round(float(np.mean(losses[-100:])), 4),
        "wrong_letters": round(letters, 4),
        "wrong_syllables": round(syllables, 4),
    }
    logger.info("%s", row)
    return row


def _keep(network: SpellingNetwork, rows: list[dict[str, float]], target: Path) -> None:
    save(network, target.with_suffix(".pt"))
    target.with_suffix(".json").write_text(json.dumps(rows))
