"""Synthesises a corpus: spoken questions of all skills, and speech that is not meant for nano."""

from __future__ import annotations

import logging
import subprocess
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from rich.progress import track

from models.training.clips import ClipWriter
from models.training.skills.exchange import Dialogue
from models.training.skills.negatives import BACKCHANNELS, not_meant
from models.training.skills.registry import dialogue
from models.training.synthesis import speak
from models.training.voices import Voice, evaluation_voice, training_voice

logger = logging.getLogger(__name__)

LONGEST_TEXT = 160  # letters; longer statements are cut at a word


def synthesise(
    folder: Path, dialogues: int, negatives: int, seed: int, held_out: bool = False
) -> None:
    """Write a corpus: clips, dialogues that name their clips, and numbers of negative clips."""
    random = Random(seed)
    writer = ClipWriter(folder)
    kept = []
    for _ in track(range(dialogues), "questions"):
        made = dialogue(random, held_out and random.random() < 0.5)
        kept.append(_spoken_dialogue(writer, made, _voice(random, held_out)))
    refused = [
        _say(writer, _shortened(not_meant(random)), _voice(random, held_out))
        for _ in track(range(negatives), "talk")
    ]
    writer.close(
        dialogues=[made for made in kept if made is not None],
        negatives=[number for number in refused if number is not None],
    )


def _voice(random: Random, held_out: bool) -> Voice:
    return evaluation_voice(random) if held_out else training_voice(random)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rsplit(" ", 1)[0]


def _say(writer: ClipWriter, text: str, voice: Voice, kind: str = "talk") -> int | None:
    if text in BACKCHANNELS:
        kind = "backchannel"
    try:
        return writer.add(speak(text, voice), text, kind, voice.speaker)
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        logger.warning("%s could not say %r: %s", voice.speaker, text, error)
        return None


def _spoken_dialogue(writer: ClipWriter, made: Dialogue, voice: Voice) -> dict[str, Any] | None:
    numbers = [_say(writer, exchange.question, voice, "query") for exchange in made.exchanges]
    if any(number is None for number in numbers):
        return None
    exchanges = [
        {**asdict(exchange), "clip": number}
        for exchange, number in zip(made.exchanges, numbers, strict=True)
    ]
    return {"tools": made.tools, "exchanges": exchanges}
