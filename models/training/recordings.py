"""Real recordings that a manifest names, as clips: people, animals, rooms. Not indispensable."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import track

from models.training.clips import ClipWriter
from models.training.noises import noise
from models.training.recognising import recognised
from models.training.skills.numbers import spell

KINDS = {  # manifest label: kind of clip
    "query": "order", "digit": "digit", "isolated_word": "word", "read_speech": "speech",
    "conversation": "speech", "noise": "noise", "music": "noise", "babble": "noise",
    "residual_echo": "echo", "near_end_speech_over_echo": "speech",
}  # fmt: skip
SPOKEN = ("order", "digit", "word", "speech")
NOBODY = "-"  # the speaker of a recording in which nobody speaks


@dataclass(frozen=True, slots=True)
class Recording:
    """One line of a manifest; paths are relative to it."""

    path: Path
    split: str
    label: str
    speaker: str
    transcript: str


def read_manifest(manifest: Path) -> Iterator[Recording]:
    """Raises KeyError where a column is missing."""
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Recording(
                manifest.parent / row["path"], row["split"], row["label"], row["speaker"],
                row["transcript_or_tag"],
            )  # fmt: skip


def speakers_apart(recordings: Iterable[Recording]) -> list[Recording]:
    """Without training recordings of speakers who are also in another split."""
    every = list(recordings)
    kept_back = {each.speaker for each in every if each.split != "train"} - {NOBODY}
    return [each for each in every if each.split != "train" or each.speaker not in kept_back]


def gather(folder: Path, manifest: Path | None, made_noises: int = 300, seed: int = 0) -> None:
    """Write a folder of clips: noises made by rule and, with a manifest, real recordings."""
    writer, random = ClipWriter(folder), np.random.default_rng(seed)
    for _ in track(range(made_noises), "noises"):
        sound = noise(random, float(random.uniform(1.5, 5)))
        writer.add_samples(sound, "", "noise", "made")
    named = speakers_apart(read_manifest(manifest)) if manifest else []
    for recording in track(named, "recordings"):
        if recording.label in KINDS:
            _store(writer, recording)
    writer.close()


def _store(writer: ClipWriter, recording: Recording) -> None:
    samples, _ = soundfile.read(recording.path, dtype="float32")
    kind, text = KINDS[recording.label], recording.transcript
    if kind == "digit":
        text = spell(int(text))
    if len(samples) < 1600:
        samples = np.pad(samples, (0, 1600 - len(samples)))
    words = recognised(samples) if kind in SPOKEN else ""
    writer.add_samples(
        samples, text, kind, recording.speaker, split=recording.split,
        path=str(recording.path.name), recognised=words,
    )  # fmt: skip
