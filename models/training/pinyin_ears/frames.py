"""The recogniser's encoder frames of clips, made once: shards of float16 with an index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.engines.pinyin_speller import paced
from models.moonshine import Moonshine
from models.training.pinyin_ears.speaking import read_clips
from models.training.pinyin_ears.varying import Surroundings, padded_with

PLAIN_QUIET_S = 0.15, 0.3  # before and behind a clip that is not varied


@dataclass(frozen=True, slots=True)
class FramedClip:
    """`size` frames from `start` of a shard, the `letters` that they spell, whose voice it is, and
    the text that it says."""

    start: int
    size: int
    letters: str
    voice: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Shard:
    """frames [n, 288] of many clips, read from disk as they are used."""

    frames: npt.NDArray[np.float16]
    clips: tuple[FramedClip, ...]

    @staticmethod
    def read(path: Path) -> Shard:
        rows = json.loads(path.with_suffix(".json").read_text())
        clips = (FramedClip(**row) for row in rows)
        return Shard(np.load(path.with_suffix(".npy"), mmap_mode="r"), tuple(clips))


def write_frames(
    folders: Sequence[Path],
    target: Path,
    recogniser: Moonshine,
    surroundings: Surroundings | None,
    times: int,
) -> float:
    """Each clip of the folders in so many random surroundings, or once as it is; gives minutes."""
    pieces: list[npt.NDArray[np.float16]] = []
    clips: list[FramedClip] = []
    start = 0
    for folder in folders:
        for clip, samples in read_clips(folder):
            for _ in range(times if surroundings else 1):
                sound = (
                    surroundings.around(samples)
                    if surroundings
                    else padded_with(samples, *PLAIN_QUIET_S)
                )
                frames = paced(recogniser.encode(sound)).astype(np.float16)
                clips.append(FramedClip(start, len(frames), clip.letters, clip.voice, clip.text))
                pieces.append(frames)
                start += len(frames)
    np.save(target.with_suffix(".npy"), np.concatenate(pieces))
    target.with_suffix(".json").write_text(json.dumps([asdict(clip) for clip in clips]))
    return start / 25 / 60
