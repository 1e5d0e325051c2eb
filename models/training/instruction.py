"""Stages two and three: the mind learns to answer, first from simulated letters, then from sound.

Instruction tuning: language model and adapter on text and on letters as the encoder would spell
them. Listening: everything together on real features, with the state tokens at every step of a
segment, and the letters kept in practice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.training.alignment import PhoneTeacher, spelling_loss
from models.training.hearing import ListeningResult, stack
from models.training.listener import Listener
from models.training.options import BATCH
from models.training.reading import WordTeacher
from models.training.running import Losses
from models.training.sequences import NOTHING, Sequence, Sound, answer_weights
from models.training.sight import pixels_of
from models.training.simulation import Simulated
from models.training.skills.scene import PictureScene

POOL = 192  # sequences that are sorted by length before they are cut into batches


@dataclass(frozen=True, slots=True)
class MaterialShares:
    """What a batch is made of, and how much its losses count."""

    tokens: int = BATCH  # places in a batch, padding included
    state: float = 0.6
    letters: float = 0.5
    phones: float = 0.2
    words: float = 0.5


def batches(source: Callable[[], Sequence], tokens: int, seed: int) -> Iterator[list[Sequence]]:
    """Sequences of like length together, for ever."""
    random = Random(seed)
    while True:
        pool = sorted((source() for _ in range(POOL)), key=len)
        cut: list[list[Sequence]] = [[]]
        for sequence in pool:
            if cut[-1] and (len(cut[-1]) + 1) * len(sequence) > tokens:
                cut.append([])
            cut[-1].append(sequence)
        random.shuffle(cut)
        yield from cut


class Tuning:
    """Losses of one batch after another."""

    def __init__(
        self,
        listener: Listener,
        source: Callable[[], Sequence],
        device: str,
        shares: MaterialShares | None = None,
        phones: PhoneTeacher | None = None,
    ) -> None:
        self.listener, self.device, self.phones = listener, device, phones
        self.reader = WordTeacher(listener.language)
        self.shares = shares or MaterialShares()
        self._batches = batches(source, self.shares.tokens, seed=3)

    def losses(self) -> Losses:
        batch = next(self._batches)
        with sdpa_kernel(SDPBackend.MATH):
            embedded, losses = self._embed(batch)
            hidden = self.listener.language(embedded)
        words = _padded([one.words for one in batch], NOTHING).to(self.device)
        read = self.reader.loss(self.listener.language, words)
        if read is not None:
            losses["words"] = self.shares.words * read
        shares = [answer_weights(one.targets) for one in batch]
        stakes = [one.stakes for one in batch]
        for name, weight, wanted, counts in (
            ("answer", 1.0, [one.targets for one in batch], shares),
            ("state", self.shares.state, [one.states for one in batch], stakes),
        ):
            loss = self._predicted(hidden, wanted, counts)
            if loss is not None:
                losses[name] = weight * loss
        return losses

    def _predicted(
        self, hidden: Tensor, wanted: Many[Many[int]], counts: Many[Many[float]]
    ) -> Tensor | None:
        """Cross-entropy at the places that ask for a prediction, each as `counts` says."""
        target = _padded(wanted, NOTHING).to(self.device)
        chosen = target != NOTHING
        if not bool(chosen.any()):
            return None
        logits = self.listener.language.logits(hidden[chosen]).float()
        each = functional.cross_entropy(logits, target[chosen], reduction="none")
        share = _padded(counts, 0.0).to(self.device)[chosen]
        return (each * share).sum() / share.sum()

    def _embed(self, batch: Many[Sequence]) -> tuple[Tensor, Losses]:
        """Vectors [b, n, w] of a batch, with the sounds in their places."""
        ids = _padded([one.ids for one in batch], 0).to(self.device)
        embedded = self.listener.language.embed(ids)
        rows, columns, vectors, losses = self._sounds(batch)
        if vectors is not None:
            embedded = embedded.index_put((rows, columns), vectors)
        return self._shown(batch, embedded), losses

    def _shown(self, batch: Many[Sequence], embedded: Tensor) -> Tensor:
        """With the pictures in their places."""
        eyes, config = self.listener.eyes, self.listener.config.vision
        places = [(row, place) for row, one in enumerate(batch) for place in one.shown]
        if eyes is None or config is None or not places:
            return embedded
        vectors = self.look([scene for one in batch for scene in one.pictures])
        rows = torch.tensor([[row] * config.tokens for row, _ in places])
        columns = torch.tensor([list(range(at, at + config.tokens)) for _, at in places])
        return embedded.index_put((rows.to(self.device), columns.to(self.device)), vectors)

    def look(self, scenes: Many[PictureScene]) -> Tensor:
        """Pictures as vectors [n, tokens, width]."""
        eyes = self.listener.eyes
        assert eyes is not None
        pixels = pixels_of(scenes, eyes.vision.config.image)
        vectors: Tensor = eyes(pixels.to(self.device, torch.bfloat16))
        return vectors

    def _sounds(self, batch: Many[Sequence]) -> tuple[Tensor, Tensor, Tensor | None, Losses]:
        found = [
            (row, place, sound)
            for row, one in enumerate(batch)
            for place, sound in zip(one.places, one.sounds, strict=True)
        ]
        losses: Losses = {}
        parts: list[Tensor] = []
        rows: list[Tensor] = []
        columns: list[Tensor] = []
        for kind in (Simulated, ListeningResult):
            chosen = [entry for entry in found if isinstance(entry[2], kind)]
            if not chosen:
                continue
            vectors, counts = self._encode([sound for _, _, sound in chosen], losses)
            for index, (row, place, _) in enumerate(chosen):
                count = int(counts[index])
                parts.append(vectors[index, :count])
                rows.append(torch.full((count,), row))
                columns.append(torch.arange(place, place + count))
        if not parts:
            empty = torch.zeros(0, dtype=torch.long)
            return empty, empty, None, losses
        places = torch.cat(rows).to(self.device), torch.cat(columns).to(self.device)
        return *places, torch.cat(parts), losses

    def _encode(self, sounds: Many[Sound], losses: Losses) -> tuple[Tensor, Tensor]:
        simulated = [sound for sound in sounds if isinstance(sound, Simulated)]
        if simulated:
            letters, lengths = _stack_letters(simulated, self.device)
            vectors = self.listener.vectors_of_letters(letters, lengths)
            return vectors, (lengths + 1) // 2
        heard = [sound for sound in sounds if isinstance(sound, ListeningResult)]
        frames, scores, counts = self.listener.frames(*stack(heard, self.device))
        spelled = [i for i, one in enumerate(heard) if one.clip.spelling and one.whole]
        if spelled and self.shares.letters:
            texts = [heard[i].clip.spelling for i in spelled]
            loss = spelling_loss(scores[spelled], counts[spelled], texts)
            losses["letters"] = self.shares.letters * loss
        named = None if self.phones is None else self.phones.loss(heard, frames)
        if named is not None:
            losses["phones"] = self.shares.phones * named
        vectors, lengths = self.listener.tower.adpter(self.listener.tower.blend(frames), counts)
        return vectors, lengths


def _padded(rows: Many[Many[float]], value: float) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


def _stack_letters(sounds: Many[Simulated], device: str) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sound.letters) for sound in sounds])
    batch = torch.zeros(len(sounds), int(lengths.max()), sounds[0].letters.shape[1])
    for row, sound in zip(batch, sounds, strict=True):
        row[: len(sound.letters)] = torch.from_numpy(sound.letters)
    return batch.to(device, torch.bfloat16), lengths.to(device)
