"""Stage one, audio alignment: the encoder learns to spell what it hears (CTC).

Where the synthesiser says when it spoke which phoneme, a second head learns these frame by frame;
it gets the encoder over the long flat start of CTC, and is thrown away afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.training.augmentation import Strength
from models.training.clips import ClipStore
from models.training.hearing import Ear, ListeningResult, stack
from models.training.listener import Listener, letter_ids
from models.training.running import Losses, Runner, Stage, drawn_seed

FRAME = 4  # feature frames for one encoder frame
BATCH_FRAMES = 4_500  # feature frames in a batch
PHONES = 96


class PhoneTeacher(nn.Module):
    """Names phonemes in encoder frames, where the synthesiser said which it spoke when."""

    def __init__(self, stores: Sequence[ClipStore], width: int) -> None:
        super().__init__()
        counts: dict[str, int] = {}
        for store in stores:
            for clip in store.clips:
                for _, name in clip.phones:
                    counts[name] = counts.get(name, 0) + 1
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        self._numbers = {name: min(place, PHONES - 1) for place, name in enumerate(ordered)}
        self.head = nn.Linear(width, PHONES)

    def targets(self, heard: ListeningResult, count: int) -> Tensor:
        """Phoneme number at each encoder frame [count]; -100 where it is not known."""
        targets = np.full(count, -100, dtype=np.int64)
        for (start, name), (stop, _) in zip(heard.phones, heard.phones[1:], strict=False):
            frames = slice(max(0, start // FRAME), max(0, stop // FRAME))
            targets[frames] = self._numbers.get(name, PHONES - 1)
        return torch.from_numpy(targets)

    def loss(self, heard: Sequence[ListeningResult], frames: Tensor) -> Tensor | None:
        """Cross-entropy over encoder frames [b, t, w]; None if no phoneme is known in them."""
        wanted = torch.stack([self.targets(one, frames.shape[1]) for one in heard])
        known = (wanted >= 0).to(frames.device)
        if not bool(known.any()):
            return None
        named = self.head(frames[known]).float()
        return functional.cross_entropy(named, wanted.to(frames.device)[known])


def spelling_loss(scores: Tensor, counts: Tensor, texts: Sequence[str]) -> Tensor:
    """CTC over letters: scores [b, t, letters], lengths [b]; mean for each letter."""
    targets = [letter_ids(text) for text in texts]
    sizes = torch.tensor([len(target) for target in targets])
    flat = torch.tensor([letter for target in targets for letter in target])
    log = scores.float().log_softmax(-1).transpose(0, 1)
    loss = functional.ctc_loss(
        log, flat.to(log.device), counts, sizes.to(log.device), reduction="none", zero_infinity=True
    )
    return loss.sum() / max(1, int(sizes.sum()))


class AlignedSpelling:
    """Draws batches for this stage and gives their losses."""

    def __init__(self, listener: Listener, ear: Ear, device: str) -> None:
        self.listener, self.ear, self.device = listener, ear, device
        self.phones = PhoneTeacher(ear.stores, listener.config.audio.width)
        self.pool = [
            (index, number)
            for index, store in enumerate(ear.stores)
            for number, clip in enumerate(store.clips)
            if clip.split == "train" and letter_ids(clip.spelling)
        ]
        self._batches = self._forever()

    def _forever(self) -> Iterator[list[tuple[int, int]]]:
        random = self.ear.random
        while True:
            order = random.permutation(len(self.pool))
            for start in range(0, len(order), 512):
                chosen = [self.pool[i] for i in order[start : start + 512]]
                chosen.sort(key=lambda place: self._length(place))
                batches = list(self._cut(chosen))
                random.shuffle(batches)
                yield from batches

    def _length(self, place: tuple[int, int]) -> int:
        return self.ear.stores[place[0]].clips[place[1]].frames

    def _cut(self, chosen: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        batch: list[tuple[int, int]] = []
        for place in chosen:
            if batch and (len(batch) + 1) * (self._length(place) + 80) > BATCH_FRAMES:
                yield batch
                batch = []
            batch.append(place)
        yield batch

    def losses(self) -> Losses:
        heard = [self.ear.hear(*place) for place in next(self._batches)]
        features, lengths = stack(heard, self.device)
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernel is slower in bfloat16 on a CPU
            frames, scores, counts = self.listener.frames(features, lengths)
        loss = {"letters": spelling_loss(scores, counts, [one.clip.spelling for one in heard])}
        phones = self.phones.loss(heard, frames)
        if phones is not None:
            loss["phones"] = phones
        return loss


def measure_bands(stores: Sequence[ClipStore]) -> tuple[Tensor, Tensor]:
    """Mean and inverse deviation of each bin over augmented clips, [80] each."""
    ear = Ear(stores, Strength(), seed=5)
    places = [(0, number) for number in range(0, len(stores[0].clips), 20)][:300]
    every = np.concatenate([ear.hear(*place).features for place in places])
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    return torch.from_numpy(mean), torch.from_numpy(1 / np.maximum(deviation, 0.1))


def align(
    listener: Listener, stores: Sequence[ClipStore], folder: Path, stage: Stage, resume: bool
) -> None:
    """Train the encoder and its letters; writes `<stage name>.pt` into the folder."""
    ear = Ear(stores, Strength(), drawn_seed(folder, stage.name, 1, resume))
    spelling = AlignedSpelling(listener, ear, stage.device)
    Runner(stage, listener, folder, spelling.phones).run(spelling.losses, resume)
