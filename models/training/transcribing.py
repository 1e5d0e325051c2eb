"""Guesses the words of recorded orders, of which only the slots are known.

Many ways to order these slots are tried, and the one that the encoder's letters fit best is taken,
so that recordings without a transcript can teach letters too.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from models.order_slots import parse_label
from models.training.clips import ClipStore
from models.training.listener import Listener, letter_ids
from models.training.skills import coffee

CANDIDATES = 240
TRANSCRIPTS = "transcripts.json"


@torch.no_grad()
def misfit(scores: Tensor, texts: list[str]) -> Tensor:
    """CTC loss of each text against letter scores [t, letters]: [texts]."""
    targets = [letter_ids(text) for text in texts]
    sizes = torch.tensor([len(target) for target in targets])
    flat = torch.tensor([letter for target in targets for letter in target])
    log = scores.log_softmax(-1)[:, None].expand(-1, len(texts), -1)
    counts = torch.full((len(texts),), len(scores))
    return functional.ctc_loss(log, flat, counts, sizes, reduction="none")


@torch.no_grad()
def transcribe(listener: Listener, store: ClipStore, folder: Path, seed: int = 0) -> None:
    """Write the likeliest words of every training order beside its store: number -> words."""
    random, words = Random(seed), {}
    listener.eval().float()
    orders = [n for n, c in enumerate(store.clips) if c.kind == "order" and c.split == "train"]
    for number in track(orders, "orders"):
        features = torch.from_numpy(np.asarray(store.features(number)))[None]
        _, scores, _ = listener.frames(features, torch.tensor([features.shape[1]]))
        slots = parse_label(store.clips[number].text)
        texts = sorted({coffee.phrase(slots, random) for _ in range(CANDIDATES)})
        best = int(misfit(scores[0], texts).argmin())
        words[number] = texts[best]
    (folder / TRANSCRIPTS).write_text(json.dumps(words, indent=1))
