"""Clips: log-mel features of many recordings in one file, with what is said in them and where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audio.features import BINS, STEP, Features, FilterBank
from audio.frame import Samples
from models.training.pinyin import spelled
from models.training.synthesis import SynthesizedSpeech

FRAME_SECONDS = 0.01
UNWRITTEN = ("order", "speech", "noise", "echo")  # kinds of clips without a transcript
_FLOOR_DECIBELS = 38.0  # below the loudest frame: not voiced


@dataclass(frozen=True, slots=True)
class Clip:
    """Where a recording stands in the feature file, and what is known about it.

    `onset` and `end` are the first voiced frame and the one after the last. `words` are the starts
    of words, `phones` starts and names; all in frames from the start of the clip.
    """

    start: int
    frames: int
    text: str
    kind: str  # query, talk, backchannel, speech, word, digit, order, noise, music, room
    speaker: str
    onset: int
    end: int
    words: tuple[int, ...] = ()
    phones: tuple[tuple[int, str], ...] = ()
    split: str = "train"
    path: str = ""
    guessed: str = ""  # words of a recording that came without a transcript
    recognised: str = ""  # what Moonshine made of it, where it was asked

    @property
    def spelling(self) -> str:
        """What its letters should spell; empty where that is not known."""
        return spelled(self.guessed if self.kind in UNWRITTEN else self.text)


def voiced_span(features: Features) -> tuple[int, int]:
    """First voiced frame and the one after the last, by loudness."""
    loudness = np.asarray(features, dtype=np.float32).max(axis=1)
    threshold = loudness.max() - _FLOOR_DECIBELS * np.log(10) / 10
    threshold = max(threshold, float(np.percentile(loudness, 10)) + 1.5)
    voiced = np.flatnonzero(loudness > threshold)
    return (int(voiced[0]), int(voiced[-1]) + 1) if len(voiced) else (0, len(loudness))


@dataclass(slots=True)
class ClipWriter:
    """Appends clips to `features.f16` in a folder; `close` writes the index."""

    folder: Path
    clips: list[Clip] = field(default_factory=list)
    _bank: FilterBank = field(default_factory=FilterBank)
    _frames: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "features.f16").write_bytes(b"")

    def add(
        self, spoken: SynthesizedSpeech, text: str, kind: str, speaker: str, **more: str
    ) -> int:
        """Store a recording; gives its number. Raises ValueError if it is too short."""
        features = self._bank(spoken.samples)
        if len(features) < 8:
            raise ValueError(f"only {len(spoken.samples)} samples for {text!r}")
        onset, end = voiced_span(features)
        clip = Clip(
            self._frames, len(features), text, kind, speaker, onset, end,
            tuple(_frame(second) for second in spoken.words),
            tuple((_frame(second), name) for second, name in spoken.phones),
            **more,
        )  # fmt: skip
        with (self.folder / "features.f16").open("ab") as file:
            file.write(features.astype(np.float16).tobytes())
        self._frames += len(features)
        self.clips.append(clip)
        return len(self.clips) - 1

    def add_samples(self, samples: Samples, text: str, kind: str, speaker: str, **more: str) -> int:
        return self.add(SynthesizedSpeech(samples), text, kind, speaker, **more)

    def close(self, **more: Any) -> None:
        """Write the index, and `more` beside it."""
        index = {"clips": [asdict(clip) for clip in self.clips], **more}
        part = self.folder / "index.json.part"
        part.write_text(json.dumps(index))
        part.rename(self.folder / "index.json")


def _frame(second: float) -> int:
    return round(second / FRAME_SECONDS)


@dataclass(frozen=True, slots=True)
class ClipStore:
    """Clips of one folder, read back."""

    clips: Sequence[Clip]
    memory: npt.NDArray[np.float16]  # [all frames, 80]
    extra: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> ClipStore:
        index = json.loads((folder / "index.json").read_text())
        clips = [_clip(entry) for entry in index.pop("clips")]
        transcripts = folder / "transcripts.json"
        if transcripts.exists():
            for number, words in json.loads(transcripts.read_text()).items():
                clips[int(number)] = replace(clips[int(number)], guessed=words)
        flat = np.fromfile(folder / "features.f16", dtype=np.float16)
        return cls(clips, flat.reshape(-1, BINS), index)

    def features(self, number: int) -> Features:
        """[frames, 80] of one clip."""
        clip = self.clips[number]
        return self.memory[clip.start : clip.start + clip.frames].astype(np.float32)

    def seconds(self, numbers: Iterable[int] | None = None) -> float:
        chosen = range(len(self.clips)) if numbers is None else numbers
        return sum(self.clips[i].frames for i in chosen) * STEP / 16_000


def _clip(entry: dict[str, Any]) -> Clip:
    entry["words"] = tuple(entry["words"])
    entry["phones"] = tuple((int(start), str(name)) for start, name in entry["phones"])
    return Clip(**entry)
