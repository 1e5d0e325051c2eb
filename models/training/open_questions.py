"""models.training: open questions as recordings, for `antiphon eval`.

The questions of open_questions.txt, spoken by the reserved voices of Kokoro, which nothing is
trained on: a third as they are, a third in a room, a third in a room with noise. The folder is made
again by this program whenever it is needed, and the same seed makes the same one.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import soundfile
from rich.progress import track

from audio.frame import Samples
from models.base import HEAR_RATE
from models.training.noises import noise
from models.training.synthesis import speak
from models.training.voices import RESERVED_KOKORO, Voice

QUESTIONS = Path(__file__).parent / "open_questions.txt"
HEAD = ("path", "split", "label", "speaker", "transcript_or_tag", "seconds")
LEAD, TRAIL = 0.4, 1.0  # seconds of quiet before and behind
_RINGING = (0.15, 0.6)  # seconds in which a room's sound falls by 60 dB
_RATIOS = (8.0, 20.0)  # decibels of voice over noise
_LEVELS = (0.05, 0.4)  # highest sample


def write(folder: Path, seed: int = 5) -> int:
    """Write FLAC files and MANIFEST.tsv into a folder; gives their number."""
    folder.mkdir(parents=True, exist_ok=True)
    random, lines = Random(seed), ["\t".join(HEAD)]
    draw = np.random.default_rng(seed)
    questions = QUESTIONS.read_text().splitlines()
    for number, question in enumerate(track(questions, "open questions")):
        name = RESERVED_KOKORO[number % len(RESERVED_KOKORO)]
        voice = Voice("kokoro", name, speed=random.uniform(0.85, 1.2))
        place = ("near", "room", "noise")[number // len(RESERVED_KOKORO) % 3]
        samples = _placed(draw, speak(question, voice).samples, place)
        path = f"{number:03d}-{place}.flac"
        soundfile.write(folder / path, samples, HEAR_RATE, subtype="PCM_16")
        seconds = f"{samples.size / HEAR_RATE:.2f}"
        lines.append("\t".join((path, "open", "query", voice.speaker, question, seconds)))
    (folder / "MANIFEST.tsv").write_text("\n".join(lines) + "\n")
    return len(questions)


def _placed(random: np.random.Generator, voice: Samples, place: str) -> Samples:
    """A voice [n] with quiet round it, in its surroundings."""
    lead, trail = (np.zeros(round(each * HEAR_RATE), np.float32) for each in (LEAD, TRAIL))
    samples = np.concatenate((lead, voice, trail))
    if place != "near":
        samples = in_room(random, samples)
    ratio = float(random.uniform(*_RATIOS)) if place == "noise" else 40.0
    background = noise(random, samples.size / HEAR_RATE + 0.1)[: samples.size]
    level = _root_mean_square(voice) / max(1e-6, _root_mean_square(background))
    samples = samples + background * level * 10 ** (-ratio / 20)
    peak = float(random.uniform(*_LEVELS)) / float(np.abs(samples).max())
    loud: Samples = (samples * peak).astype(np.float32)
    return loud


def in_room(random: np.random.Generator, samples: Samples) -> Samples:
    """A voice some way off: the direct sound, then noise that rings out."""
    ringing = float(random.uniform(*_RINGING))
    times = np.arange(round(ringing * HEAR_RATE)) / HEAR_RATE
    tail = random.normal(0, 1, times.size) * 10 ** (-3 * times / ringing)
    tail *= float(random.uniform(0.2, 0.9)) / np.sqrt(np.square(tail).sum())
    tail[0] += 1.0
    size = samples.size + tail.size - 1
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(tail, size)
    heard: Samples = np.fft.irfft(spectrum, size)[: samples.size].astype(np.float32)
    return heard


def _root_mean_square(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
