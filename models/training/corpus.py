"""Synthesises a corpus: spoken questions of all skills, and speech that is not meant for nano."""

from __future__ import annotations

import logging
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from rich.progress import track

from models.training.clips import ClipWriter
from models.training.pinyin import is_chinese, toned
from models.training.recognising import SHARE, recognised
from models.training.skills.exchange import Dialogue
from models.training.skills.images import spoken_questions
from models.training.skills.mandarin.negatives import BACKCHANNELS as CHINESE_BACKCHANNELS
from models.training.skills.negatives import BACKCHANNELS
from models.training.skills.registry import AIDS, dialogue, not_meant
from models.training.synthesis import speak
from models.training.voices import (
    Voice,
    distilled_voice,
    evaluation_voice,
    mandarin_voice,
    neural_voice,
    training_voice,
)

logger = logging.getLogger(__name__)

LONGEST_TEXT = 160  # letters; longer statements are cut at a word


@dataclass(frozen=True, slots=True)
class VoiceShares:
    """Which voices speak a corpus, as shares: `statistical` RHVoice and Pico among English ones,
    `neural` Kokoro in either language, `distilled` hibari among the other English ones."""

    statistical: float = 0.0
    neural: float = 0.0
    distilled: float = 0.0

    def draw(self, random: Random, held_out: bool, text: str) -> Voice:
        """A voice that can say the text."""
        chinese = is_chinese(text)
        if random.random() < self.neural:
            return neural_voice(random, chinese=chinese, held_out=held_out)
        if chinese:
            return mandarin_voice(random, held_out)
        if held_out:
            return evaluation_voice(random)
        if random.random() < self.distilled:
            return distilled_voice()
        return training_voice(random, statistical=self.statistical)


def synthesise(
    folder: Path,
    dialogues: int,
    negatives: int,
    seed: int,
    held_out: bool = False,
    chinese: float = 0.0,
    voices: VoiceShares | None = None,
) -> None:
    """Write a corpus: clips, dialogues that name their clips, and numbers of negative clips.

    `chinese` is the share in Chinese.
    """
    random, shares = Random(seed), voices or VoiceShares()
    writer = ClipWriter(folder)
    kept = []
    for _ in track(range(dialogues), "questions"):
        made = dialogue(random, held_out and random.random() < 0.5, chinese=chinese)
        if held_out and any(exchange.skill in AIDS for exchange in made.exchanges):
            continue
        voice = shares.draw(random, held_out, made.exchanges[0].question)
        kept.append(_spoken_dialogue(writer, made, voice))
    refused = []
    for _ in track(range(negatives), "talk"):
        text = _shortened(not_meant(random, chinese))
        refused.append(_say(writer, text, shares.draw(random, held_out, text)))
    writer.close(
        dialogues=[made for made in kept if made is not None],
        negatives=[number for number in refused if number is not None],
    )


def ask(folder: Path, voices: int, seed: int, held_out: bool = False) -> None:
    """Write a corpus of the questions about pictures, each in so many voices; which picture is
    shown is drawn when one is used."""
    random, writer, shares = Random(seed), ClipWriter(folder), VoiceShares()
    numbers = [
        _say(writer, text, shares.draw(random, held_out, text), "query")
        for text in track(spoken_questions(held_out) * voices, "questions about pictures")
    ]
    writer.close(pictures=[number for number in numbers if number is not None])


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rsplit(" ", 1)[0]


def _written(text: str) -> str:
    """As the synthesiser reads it: Chinese in pinyin."""
    return toned(text) if is_chinese(text) else text


def _say(writer: ClipWriter, text: str, voice: Voice, kind: str = "talk") -> int | None:
    if text in BACKCHANNELS or text in CHINESE_BACKCHANNELS:
        kind = "backchannel"
    written = text if voice.engine == "kokoro" else _written(text)
    try:
        spoken = speak(written, voice)
        asked = len(writer.clips) % round(1 / SHARE) == 0
        words = recognised(spoken.samples) if asked else ""
        return writer.add(spoken, text, kind, voice.speaker, recognised=words)
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
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
