"""Clips as a microphone may take them: faster, slower, in a room, through a filter, under noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio.frame import Samples
from models.base import HEAR_RATE
from models.training.noises import noise
from models.training.recordings import read_manifest

SPEEDS = (0.82, 1.2)
TAIL_S, TAIL_LEVEL = (0.1, 0.6), (0.02, 0.12)  # of a room: seconds, and its level beside the voice
BANDS_HZ = (0, 200, 500, 1000, 2000, 4000, 8000)
TILT_DB, TELEPHONE_DB = 7.0, -28.0
PEAK_DB, NOISE_DB, HISS_DB = (-24, 0), (3, 30), (15, 45)  # peak; signal above noise and above hiss
_MADE = 40  # noises by rule, where there is no manifest or beside it


class Surroundings:
    """Random ones; `manifest` names recorded noises of which the training split is used."""

    def __init__(self, seed: int, manifest: Path | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._noises = [noise(self._random, 4.0) for _ in range(_MADE)]
        if manifest is not None:
            self._noises += list(_recorded(manifest))

    def around(self, samples: Samples) -> Samples:
        """[n] at 16 kHz -> [m], with quiet before and behind."""
        random = self._random
        speed = random.uniform(*SPEEDS)
        samples = soxr.resample(samples, HEAR_RATE * speed, HEAR_RATE).astype(np.float32)
        if random.random() < 0.5:
            samples = self._in_room(samples)
        if random.random() < 0.6:
            samples = self._filtered(samples)
        padded = padded_with(samples, random.uniform(0, 0.4), random.uniform(0.1, 0.6))
        padded = padded * 10 ** (random.uniform(*PEAK_DB) / 20) / (np.abs(padded).max() + 1e-9)
        loud = float(np.sqrt(np.mean(np.square(padded)))) + 1e-6
        if random.random() < 0.6:
            padded = padded + self._noise(
                padded.size, loud * 10 ** (-random.uniform(*NOISE_DB) / 20)
            )
        hiss = max(1e-4, loud * 10 ** (-random.uniform(*HISS_DB) / 20))
        noisy: Samples = (padded + random.normal(0, hiss, padded.size)).astype(np.float32)
        return noisy

    def _in_room(self, samples: Samples) -> Samples:
        count = int(HEAR_RATE * self._random.uniform(*TAIL_S))
        tail = self._random.normal(size=count) * 10 ** (-3 * np.arange(count) / count)
        tail *= self._random.uniform(*TAIL_LEVEL)
        tail[0] = 1.0
        size = samples.size + count
        wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
        return wet[: samples.size + HEAR_RATE // 10].astype(np.float32)

    def _filtered(self, samples: Samples) -> Samples:
        gains = self._random.uniform(-TILT_DB, TILT_DB, len(BANDS_HZ))
        if self._random.random() < 0.25:
            gains[[0, -1]] = TELEPHONE_DB
        bins = np.fft.rfft(samples)
        pitches = np.linspace(0, HEAR_RATE / 2, bins.size)
        shaped = bins * 10 ** (np.interp(pitches, BANDS_HZ, gains) / 20)
        return np.fft.irfft(shaped, samples.size).astype(np.float32)

    def _noise(self, count: int, level: float) -> Samples:
        chosen = self._noises[int(self._random.integers(len(self._noises)))]
        start = int(self._random.integers(chosen.size))
        piece = np.take(chosen, np.arange(start, start + count), mode="wrap")
        found: Samples = piece * np.float32(level / (np.sqrt(np.mean(np.square(piece))) + 1e-9))
        return found


def padded_with(samples: Samples, before_s: float, behind_s: float) -> Samples:
    """With so many seconds of silence."""
    quiet = (np.zeros(int(seconds * HEAR_RATE), np.float32) for seconds in (before_s, behind_s))
    return np.concatenate((next(quiet), samples, next(quiet)))


def _recorded(manifest: Path) -> Sequence[Samples]:
    paths = [r.path for r in read_manifest(manifest) if r.split == "train" and r.label == "noise"]
    sounds = [soundfile.read(path, dtype="float32")[0] for path in paths]
    return [sound if sound.ndim == 1 else sound[:, 0] for sound in sounds]
