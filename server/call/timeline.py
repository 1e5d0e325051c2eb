"""The caller's room: what the microphone hears, clips laid over the tone of a quiet room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from audio.frame import SPEAK_RATE, Samples
from audio.resample import resample
from server.call.voiced import Span, bounds

RATE = SPEAK_RATE  # of the wire, in both directions
FRAME = RATE // 50  # samples of one append: 20 ms
FRAME_SECONDS = FRAME / RATE

_ROOM_SECONDS = 10
_ROOM_LEVEL = 10 ** (-72 / 20)


@dataclass(frozen=True, slots=True, eq=False)
class TimelineClip:
    """A recording, [n] at 24 kHz, and where it is voiced (seconds; None: silent throughout).

    `breaks`: moments between two words, in seconds, where somebody might stop to think.
    """

    name: str
    samples: Samples
    voiced: Span | None
    breaks: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    @classmethod
    def of(cls, name: str, samples: Samples, rate: int = RATE) -> TimelineClip:
        """A clip of samples [n] at any rate; its voiced bounds are found by energy."""
        return cls(name, resample(samples, rate, RATE), bounds(samples, rate))


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A clip on the time line; `at` is the sample where it begins."""

    clip: TimelineClip
    at: int

    @property
    def start(self) -> float:
        return self.at / RATE

    @property
    def end(self) -> float:
        return (self.at + len(self.clip.samples)) / RATE

    @property
    def voiced(self) -> Span:
        """First to last voiced moment on the time line, in seconds (all of it where unknown)."""
        inner = self.clip.voiced or Span(0.0, self.clip.seconds)
        return inner.shifted(self.start)


class Timeline:
    """Samples of the microphone at any moment; clips may be placed while the call goes on."""

    def __init__(self, seed: int = 0) -> None:
        noise = np.random.default_rng(seed).standard_normal(_ROOM_SECONDS * RATE)
        self._room: Samples = (noise * _ROOM_LEVEL).astype(np.float32)
        self.placed: list[Placed] = []

    def place(self, clip: TimelineClip, at: float) -> Placed:
        """Put a clip down at `at` seconds."""
        placed = Placed(clip, round(at * RATE))
        self.placed.append(placed)
        return placed

    def read(self, start: int, count: int) -> Samples:
        """Samples [count] from sample `start` on."""
        heard = self._room.take(range(start, start + count), mode="wrap")
        for placed in self.placed:
            add(heard, start, placed.clip.samples, placed.at)
        return heard


def add(target: Samples, target_start: int, source: Samples, source_start: int) -> None:
    """Mix `source` into `target` in place, both placed on one line by their first sample."""
    first = max(target_start, source_start)
    last = min(target_start + len(target), source_start + len(source))
    if first < last:
        piece = source[first - source_start : last - source_start]
        target[first - target_start : last - target_start] += piece


def load_clip(path: Path) -> TimelineClip:
    """Any file that libsndfile reads, at any rate, mixed down to one channel.

    Raises OSError if there is no such file, ValueError if it holds no sound.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: {error.error_string}") from error
    if not len(samples):
        raise ValueError(f"{path}: no samples")
    return TimelineClip.of(path.name, samples.mean(axis=1).astype(np.float32), rate)
