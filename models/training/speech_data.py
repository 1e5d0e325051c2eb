"""The teacher's readings on disk: text, words' times and acoustic features, in shards."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from rich.progress import track

from models.training.codec_features import analyse
from models.training.speech_teacher import read_aloud
from models.training.speech_text import balanced, grammar_sentences, word_lists
from models.vita.vocoder import FEATURES

logger = logging.getLogger(__name__)

_SHARD = 200  # texts


@dataclass(frozen=True, slots=True)
class SpokenUtterance:
    """One reading as features [m, FEATURES]; `words` [n, 2] are starts and ends in seconds."""

    text: str
    features: npt.NDArray[np.float16]
    words: npt.NDArray[np.float32]


Reader: TypeAlias = Callable[[Sequence[str]], Iterator[SpokenUtterance]]


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """How much is read aloud. Held-out texts are answers and grammar that training never sees."""

    answers: int = 2200
    grammar: int = 500
    word_list_times: int = 3
    held_out_answers: int = 60
    held_out_grammar: int = 20
    seed: int = 1


def planned_texts(answers: Sequence[str], plan: ReadingPlan) -> tuple[list[str], list[str]]:
    """(training, held-out) texts, without one in common."""
    train = balanced(answers, plan.answers, plan.seed)
    rest = sorted(set(answers) - set(train))
    held_out = balanced(rest, plan.held_out_answers, plan.seed)
    grammar = list(
        dict.fromkeys(grammar_sentences(plan.grammar + plan.held_out_grammar, plan.seed))
    )
    held_out += grammar[: plan.held_out_grammar]
    train += grammar[plan.held_out_grammar :]
    words = word_lists((text.lower() for text in answers), plan.seed, plan.word_list_times)
    train += [text for text in words if text not in held_out]
    np.random.default_rng(plan.seed).shuffle(train)
    return train, held_out


def english(texts: Sequence[str]) -> Iterator[SpokenUtterance]:
    """The English teacher's readings, analysed."""
    for reading in read_aloud(texts):
        features = analyse(reading.samples).astype(np.float16)
        yield SpokenUtterance(reading.text, features, np.array(reading.words, np.float32))


def record(texts: Sequence[str], folder: Path, reader: Reader = english) -> None:
    """Have all texts read and analysed; shards that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(texts), _SHARD)
    for start in track(starts, description=f"reading aloud: {folder.name}"):
        path = folder / f"{start // _SHARD:03d}.npz"
        if not path.exists():
            _write(path, list(reader(texts[start : start + _SHARD])))


def _write(path: Path, spoken: Sequence[SpokenUtterance]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            texts=np.array([part.text for part in spoken]),
            frames=np.array([len(part.features) for part in spoken]),
            features=np.concatenate([part.features for part in spoken]),
            counts=np.array([len(part.words) for part in spoken]),
            words=np.concatenate([part.words for part in spoken]),
        )
    partial.replace(path)


def recorded(folder: Path) -> Iterator[SpokenUtterance]:
    """All readings under a folder, shard by shard."""
    for path in sorted(folder.glob("*.npz")):
        shard = np.load(path)
        features = np.split(shard["features"], np.cumsum(shard["frames"])[:-1])
        words = np.split(shard["words"], np.cumsum(shard["counts"])[:-1])
        for text, part, spans in zip(shard["texts"], features, words, strict=True):
            assert part.shape[1] == FEATURES
            yield SpokenUtterance(str(text), part, spans)
