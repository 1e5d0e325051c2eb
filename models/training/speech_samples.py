"""What the speech decoder learns from: chunks as they will be spoken, their codes, and which
letter each code says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from models.training.speech_data import SpokenUtterance
from models.vita.chunker import Cuts, chunks_of
from models.vita.letters import Spelling, spell
from models.vita.nano_codec import NanoCodec

SPOKEN_WORD = re.compile(r"[a-z']+[1-5]?")  # or a syllable with its tone
CODE = 0.025  # seconds
_LEAD = 0.03  # seconds kept before the first word
_TAIL = 0.15  # seconds of silence kept after the last
_PAUSE = 0.05  # a gap from here on is a pause, which belongs to the word before it


@dataclass(frozen=True, slots=True)
class SpeechSample:
    """One spoken chunk: letter ids [t], codes [c], and for each code its letter [c]."""

    spelling: Spelling
    letters: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    spoken: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        return len(self.letters) + len(self.codes)


def load_codec(path: Path) -> NanoCodec:
    """The trained codec. Raises FileNotFoundError."""
    codec = NanoCodec()
    codec.load_state_dict(torch.load(path, weights_only=True))
    return codec.eval()


@torch.no_grad()
def codes_of(spoken: SpokenUtterance, codec: NanoCodec) -> npt.NDArray[np.int64]:
    """[n], one for each 25 ms of the reading."""
    features = torch.from_numpy(spoken.features.astype(np.float32))[None]
    return np.asarray(codec.encode(features)[0].numpy(), np.int64)


def samples_of(
    spoken: SpokenUtterance, codes: npt.NDArray[np.int64], cuts: Cuts | None
) -> list[SpeechSample]:
    """A reading as chunks, cut out of the running speech: no pause and no final fall where the
    text goes on, so that the chunks joined sound like the reading."""
    spellings = [spell(chunk.text, chunk.inside) for chunk in chunks_of(spoken.text, cuts)]
    samples, word, start = [], 0, _first_code(spoken)
    for spelling in spellings:
        count = len(_word_places(spelling.letters))
        if not count:
            continue
        spans = spoken.words[word : word + count]
        word += count
        end = _cut(spoken, word, len(codes))
        letter = _letters_spoken(spelling.letters, spans, start, end)
        ids = np.array(spelling.ids, np.int64)
        if end > start:
            samples.append(SpeechSample(spelling, ids, codes[start:end], letter))
        start = max(start, end)
    return samples


def _first_code(spoken: SpokenUtterance) -> int:
    return max(0, int((spoken.words[0, 0] - _LEAD) / CODE))


def _cut(spoken: SpokenUtterance, word: int, count: int) -> int:
    """The code at which the chunk before word number `word` ends."""
    end = float(spoken.words[word - 1, 1])
    if word >= len(spoken.words):
        return min(count, int((end + _TAIL) / CODE))
    following = float(spoken.words[word, 0])
    lead = _LEAD if following - end >= _PAUSE else 0.0
    return min(count, round((following - lead) / CODE))


def _word_places(letters: str) -> list[tuple[int, int]]:
    return [match.span() for match in SPOKEN_WORD.finditer(letters)]


def _letters_spoken(
    letters: str, spans: npt.NDArray[np.float32], start: int, end: int
) -> npt.NDArray[np.int64]:
    """Index of the letter for each code in start..end: in proportion inside a word; between words
    it is the first sign behind the word that was said."""
    places = _word_places(letters)
    times, targets = [start * CODE - 1e-3], [0.0]
    for (first, last), (begin, finish) in zip(places, spans, strict=True):
        times += [float(begin), float(finish) - 1e-4, float(finish)]
        targets += [float(first), last - 0.01, min(last + 0.0, len(letters) - 1.0)]
    middle = (np.arange(start, end) + 0.5) * CODE
    places_now = np.searchsorted(times, middle, side="right") - 1
    exact = np.interp(middle, times, targets)
    inside = places_now % 3 == 1  # between a word's begin and its finish
    held = np.asarray(targets)[places_now]
    return np.where(inside, exact, held).astype(np.int64)


def random_cuts(choose: random.Random) -> Cuts:
    """Other places to cut, so that no length is strange to the decoder."""
    return Cuts(choose.randint(2, 9), choose.randint(20, 60), choose.randint(50, 110))


def batches(
    samples: Iterable[SpeechSample], tokens: int, choose: random.Random
) -> list[list[SpeechSample]]:
    """Samples of like size together, at most `tokens` letters and codes a batch, padding
    included; in random order."""
    ordered = sorted(samples, key=lambda sample: sample.size + choose.random() * 8)
    groups: list[list[SpeechSample]] = [[]]
    for sample in ordered:
        if groups[-1] and (len(groups[-1]) + 1) * sample.size > tokens:
            groups.append([])
        groups[-1].append(sample)
    choose.shuffle(groups)
    return groups
