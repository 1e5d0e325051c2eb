"""Clips to learn spelling from: Chinese questions and random words, English ones beside them, so
that the speller learns what is no Chinese. A folder of FLAC files with `index.jsonl`."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import soundfile
from pypinyin.phrases_dict import phrases_dict

from audio.frame import Samples
from models.base import HEAR_RATE
from models.engines.segment_words import Recogniser
from models.training.corpus import VoiceShares
from models.training.pinyin import is_chinese, spelled, toned
from models.training.recordings import read_manifest, speakers_apart
from models.training.skills.exchange import pick
from models.training.skills.mandarin.open_ended import open_ended as open_chinese
from models.training.skills.open_ended import open_ended as open_english
from models.training.skills.registry import dialogue, not_meant
from models.training.synthesis import speak
from models.training.voices import Voice

logger = logging.getLogger(__name__)

INDEX = "index.jsonl"
LONGEST_S = 12.0
PEAK = 0.5
_LONGEST_TALK = {True: 40, False: 90}  # signs, in Chinese and in English
_RECORDED = ("query", "read_speech", "conversation")  # labels of recordings
_LONGEST_RECORDED_S, _SHORTEST_RECORDED, _SURE = 10.0, 8, 0.82  # seconds, letters, certainty
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class ClipText:
    """One file of a folder: what is said in it, and by whom."""

    number: int
    text: str
    voice: str

    @property
    def letters(self) -> str:
        """As it should be spelled."""
        return spelled(self.text) if is_chinese(self.text) else self.text.lower()


class ClipFolder:
    """Writes clips and their index."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / INDEX).write_text("")
        self.folder, self.number, self.minutes = folder, 0, 0.0

    def add(self, samples: Samples, text: str, voice: str) -> None:
        soundfile.write(self.folder / f"{self.number:05}.flac", samples, HEAR_RATE)
        row = asdict(ClipText(self.number, text, voice))
        with (self.folder / INDEX).open("a") as index:
            index.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.number += 1
        self.minutes += samples.size / HEAR_RATE / 60


def write_clips(
    folder: Path, chinese: bool, voices: VoiceShares, minutes: float, seed: int, held_out: bool
) -> float:
    """Speak random texts for so many minutes of wall-clock time; gives the minutes of speech."""
    clips, random, until = ClipFolder(folder), Random(seed), time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        text = _chinese(random, held_out) if chinese else _english(random)
        voice = voices.draw(random, held_out, text)
        samples = _said(text, voice)
        if samples is not None:
            clips.add(samples, text, voice.speaker)
    return clips.minutes


def write_recorded(folder: Path, manifest: Path, recogniser: Recogniser) -> float:
    """Recordings of people who speak English, with the recogniser's words where it is sure of them;
    gives the minutes of speech."""
    clips = ClipFolder(folder)
    for recording in speakers_apart(read_manifest(manifest)):
        if recording.split != "train" or recording.label not in _RECORDED:
            continue
        samples, rate = soundfile.read(recording.path, dtype="float32")
        samples = samples[: int(_LONGEST_RECORDED_S * rate)]
        found = recogniser.recognise(samples)
        words = " ".join(re.findall(r"[a-z']+", found.text.lower()))
        if rate == HEAR_RATE and found.certainty >= _SURE and len(words) >= _SHORTEST_RECORDED:
            clips.add(samples, words, f"people-{recording.speaker}")
    return clips.minutes


def read_clips(folder: Path) -> Iterator[tuple[ClipText, Samples]]:
    """What `write_clips` wrote, clips of more than LONGEST_S left out."""
    for line in (folder / INDEX).read_text().splitlines():
        clip = ClipText(**json.loads(line))
        samples, _ = soundfile.read(folder / f"{clip.number:05}.flac", dtype="float32")
        if samples.size <= LONGEST_S * HEAR_RATE:
            yield clip, samples


def _said(text: str, voice: Voice) -> Samples | None:
    try:
        samples = speak(toned(text) if voice.engine != "kokoro" else text, voice).samples
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        logger.warning("%s could not say %r: %s", voice.speaker, text, error)
        return None
    loudest = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(PEAK / loudest) if loudest > 0 else None


def _chinese(random: Random, held_out: bool) -> str:
    """A question of the list, an open one, talk, or words in any order; kept back: questions."""
    kind = random.random()
    if held_out or kind < 0.57:
        if kind < 0.42 or (held_out and kind < 0.7):
            made = dialogue(random, held_out and random.random() < 0.5, chinese=1.0)
            said = made.exchanges[0].question
        else:
            said = open_chinese(random).question
    elif kind < 0.67:
        said = not_meant(random, 1.0)[: _LONGEST_TALK[True]]
    else:
        said = "".join(_word(random) for _ in range(random.randint(2, 6)))
    is_plain = is_chinese(said) and not _LATIN & set(said.lower())
    return said if is_plain else _chinese(random, held_out)


def _english(random: Random) -> str:
    kind = random.random()
    if kind < 0.5:
        said = dialogue(random, False, chinese=0.0).exchanges[0].question
    elif kind < 0.7:
        said = open_english(random).question
    else:
        said = not_meant(random, 0.0)[: _LONGEST_TALK[False]]
    return _english(random) if is_chinese(said) else said


def _word(random: Random) -> str:
    words, characters = _vocabulary()
    return pick(random, words if random.random() < 0.75 else characters)


@cache
def _vocabulary() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words of two and three of the 3,755 common characters (GB 2312, first level), and these."""
    places = [(a, b) for a in range(0xB0, 0xD8) for b in range(0xA1, 0xFF)]
    common = {
        bytes(place).decode("gb2312") for place in places if place[0] < 0xD7 or place[1] < 0xFA
    }
    words = (w for w in phrases_dict if len(w) in (2, 3) and common.issuperset(w))
    return tuple(sorted(words)), tuple(sorted(common))
