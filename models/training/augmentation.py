"""Augmentation of log-mel features: what rooms, microphones, mouths and neighbours do to speech.

Everything works on the logarithm of power, [frames, 80] float32, so that a clip is analysed once
and changed many times: sounds that add up are `logaddexp`, gains are offsets, echoes a smear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from audio.features import BINS, Features

DECIBEL = np.float32(np.log(10) / 10)
QUIET = np.float32(-15.0)  # ln power of digital silence


@dataclass(frozen=True, slots=True)
class Strength:
    """How likely each change is. All of them at zero leave a clip as it is."""

    speed: float = 0.6
    warp: float = 0.7
    colour: float = 0.8
    room: float = 0.4
    band: float = 0.1
    noise: float = 0.45
    talker: float = 0.08
    mask: float = 0.35


Background = Callable[[np.random.Generator, int], Features]  # (random, frames) -> features


def resample_time(features: Features, speed: float) -> Features:
    """Faster (speed > 1) or slower, by linear interpolation of frames."""
    count = max(4, round(len(features) / speed))
    places = np.linspace(0, len(features) - 1, count, dtype=np.float32)
    return _between(features, places)


def warp_frequency(features: Features, factor: float) -> Features:
    """A longer (factor > 1) or shorter vocal tract: bins are read at other places."""
    places = np.clip(np.arange(BINS, dtype=np.float32) * factor, 0, BINS - 1)
    return np.ascontiguousarray(_between(features.T, places).T)


def _between(rows: Features, places: npt.NDArray[np.float32]) -> Features:
    low = places.astype(np.int64)
    high = np.minimum(low + 1, len(rows) - 1)
    part = (places - low)[:, None]
    mixed: Features = rows[low] * (1 - part) + rows[high] * part
    return mixed


def microphone_colour(random: np.random.Generator, decibels: float = 7.0) -> Features:
    """A smooth offset for each bin, [1, 80]."""
    knots = random.normal(0, decibels, 7).astype(np.float32) * DECIBEL
    tilt = np.float32(random.normal(0, decibels)) * DECIBEL
    places = np.linspace(0, 1, BINS, dtype=np.float32)
    curve = np.interp(places, np.linspace(0, 1, 7), knots) + tilt * (places - 0.5)
    offsets: Features = curve[None].astype(np.float32)
    return offsets


def smear(features: Features, decay: float, wet: float) -> Features:
    """A room: power dies away by `decay` a frame behind every sound, `wet` loud."""
    power = np.exp(np.clip(features, QUIET, 30))
    tail = lfilter([0.0, wet], [1.0, -decay], power, axis=0)
    room: Features = np.log(power + tail).astype(np.float32)
    return room


def noise_floor(random: np.random.Generator, frames: int) -> Features:
    """Stationary noise of a random smooth spectrum around ln power 0, as a spectrum fluctuates."""
    stored = _fluctuation()
    start = int(random.integers(0, len(stored)))
    places = (start + np.arange(frames)) % len(stored)
    floor: Features = microphone_colour(random, 9.0) + stored[places]
    return floor


@cache
def _fluctuation() -> Features:
    """How power in narrow bands comes and goes, 40 s of it: drawing it anew is slow."""
    drawn = np.random.default_rng(0).gamma(3.0, 1 / 3.0, (4000, BINS))
    fluctuation: Features = np.log(drawn + 1e-3).astype(np.float32)
    return fluctuation


def level(features: Features) -> float:
    """Loudness of the louder part: the 90th percentile of the mean power over bins, in ln."""
    return float(np.percentile(features.mean(axis=1), 90))


def add(speech: Features, other: Features, ratio: float, reference: float) -> Features:
    """The sum, with `other` at `ratio` decibels below the speech level `reference`."""
    offset = reference - level(other) - ratio * DECIBEL
    total: Features = np.logaddexp(speech, other + np.float32(offset))
    return total


def mask(random: np.random.Generator, features: Features) -> None:
    """Hide one or two bands of bins and short stretches of time, in place (SpecAugment)."""
    mean = features.mean()
    for _ in range(random.integers(1, 3)):
        width, start = random.integers(2, 12), random.integers(0, BINS - 12)
        features[:, start : start + width] = mean
    for _ in range(1 + len(features) // 150):
        width, start = random.integers(2, 9), random.integers(0, max(1, len(features) - 9))
        features[start : start + width] = mean


def pad(features: Features, lead: int, trail: int) -> Features:
    """Digital silence before and behind; a floor of noise is added later."""
    widths = ((lead, trail), (0, 0))
    return np.pad(features, widths, constant_values=QUIET)


def insert_silence(features: Features, at: int, frames: int) -> Features:
    """A pause inside a clip, between two frames."""
    silence = np.full((frames, BINS), QUIET, dtype=np.float32)
    return np.concatenate((features[:at], silence, features[at:]))


def mouth(
    random: np.random.Generator, features: Features, strength: Strength
) -> tuple[Features, float]:
    """Another speaker: speed and vocal tract. Gives the features and the speed."""
    speed = 1.0
    if random.random() < strength.speed:
        speed = float(random.uniform(0.85, 1.2))
        features = resample_time(features, speed)
    if random.random() < strength.warp:
        features = warp_frequency(features, float(random.uniform(0.84, 1.19)))
    return features, speed


def surroundings(
    random: np.random.Generator,
    features: Features,
    strength: Strength,
    background: Background | None = None,
    talker: Background | None = None,
) -> Features:
    """A room, a microphone, noise and other talkers around a clip."""
    reference = level(features)
    if random.random() < strength.room:
        features = smear(
            features, float(random.uniform(0.5, 0.93)), float(random.uniform(0.02, 0.3))
        )
    if background is not None and random.random() < strength.noise:
        ratio = float(random.uniform(3, 30))
        features = add(features, background(random, len(features)), ratio, reference)
    if talker is not None and random.random() < strength.talker:
        ratio = float(random.uniform(8, 20))
        features = add(features, talker(random, len(features)), ratio, reference)
    if random.random() < strength.band:
        features = features.copy()
        features[:, random.integers(58, 76) :] = QUIET  # a telephone or an old codec
    if random.random() < strength.colour:
        features = features + microphone_colour(random)
    floor = noise_floor(random, len(features))
    features = add(features, floor, float(random.uniform(20, 55)), reference)
    features = features + np.float32(random.normal(0, 10)) * DECIBEL
    if random.random() < strength.mask:
        mask(random, features)
    return features
