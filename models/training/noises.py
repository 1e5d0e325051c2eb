"""Sounds that are no speech, made by rule: hiss, hum, tones, claps, coughs, knocks and chords."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.signal import lfilter

from audio.frame import Samples
from models.base import HEAR_RATE

_Random: TypeAlias = np.random.Generator


def hiss(random: _Random, count: int) -> Samples:
    """White to brown noise, slowly swelling."""
    white = random.normal(0, 1, count)
    coloured = lfilter([1.0], [1.0, -random.uniform(0, 0.99)], white)
    swell = 1 + 0.8 * np.sin(np.arange(count) / HEAR_RATE * 2 * np.pi * random.uniform(0.05, 1.0))
    return _scaled(coloured * swell)


def hum(random: _Random, count: int) -> Samples:
    """Mains or a motor: a low tone with overtones."""
    time = np.arange(count) / HEAR_RATE
    base = random.choice((50.0, 60.0, random.uniform(40, 200)))
    wave = sum(
        random.uniform(0, 1)
        / order
        * np.sin(2 * np.pi * base * order * time + random.uniform(0, 6))
        for order in range(1, 12)
    )
    return _scaled(np.asarray(wave) + 0.05 * random.normal(0, 1, count))


def tones(random: _Random, count: int) -> Samples:
    """Beeps, a ringing telephone, notes."""
    out, time = np.zeros(count), np.arange(count) / HEAR_RATE
    for _ in range(random.integers(1, 8)):
        start, length = random.integers(0, count), random.integers(800, 12_000)
        part = slice(start, start + length)
        out[part] += np.sin(2 * np.pi * random.uniform(200, 3000) * time[part])
    return _scaled(out + 0.001 * random.normal(0, 1, count))


def chords(random: _Random, count: int) -> Samples:
    """Something like music: notes of a scale with overtones and a beat."""
    out, time = np.zeros(count), np.arange(count) / HEAR_RATE
    root, beat = random.uniform(80, 250), int(random.uniform(0.15, 0.6) * HEAR_RATE)
    scale = 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    for start in range(0, count, beat):
        part = slice(start, start + 2 * beat)
        fade = np.exp(-(time[part] - time[start]) * random.uniform(2, 8))
        for note in random.choice(scale, random.integers(1, 4)):
            for order in range(1, 6):
                tone = np.sin(2 * np.pi * root * note * order * time[part])
                out[part] += fade * tone / order
    return _scaled(out)


def bursts(random: _Random, count: int) -> Samples:
    """Claps, knocks, coughs: noise or a thud that starts at once and dies away."""
    out = np.zeros(count)
    for _ in range(random.integers(1, 7)):
        start, length = int(random.integers(0, count)), int(random.integers(300, 7000))
        burst = random.normal(0, 1, length) * np.exp(-np.arange(length) / (length * 0.25))
        pole = random.uniform(0, 0.97)
        burst = lfilter([1.0 - pole], [1.0, -pole], burst) * random.uniform(0.2, 1)
        end = min(count, start + length)
        out[start:end] += burst[: end - start]
    return _scaled(out + 0.0005 * random.normal(0, 1, count))


def _scaled(wave: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Samples:
    peak = float(np.abs(wave).max()) or 1.0
    return (wave * (0.5 / peak)).astype(np.float32)


MAKERS: tuple[Callable[[_Random, int], Samples], ...] = (hiss, hum, tones, chords, bursts)


def noise(random: _Random, seconds: float) -> Samples:
    """One of them, [seconds * 16000]."""
    maker = MAKERS[int(random.integers(len(MAKERS)))]
    return maker(random, int(seconds * HEAR_RATE))
