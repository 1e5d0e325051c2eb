"""Does the exported model answer and judge as the trained one does?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from audio.frame import Samples
from models.engines.bundle import Bundle
from models.training.drawing import Pixels, draw
from models.training.export import export
from models.training.handover import read_run
from models.training.parity import Parity, compare
from models.training.pinyin import is_chinese, toned
from models.training.skills import images
from models.training.skills.registry import dialogue
from models.training.synthesis import speak
from models.training.voices import evaluation_voice, mandarin_voice


def questions(count: int, seed: int = 5) -> list[str]:
    """First questions of dialogues in both languages, in wordings kept back from training."""
    random = Random(seed)
    return [dialogue(random, True, chinese=0.3).exchanges[0].question for _ in range(count)]


def spoken(texts: list[str], seed: int = 6) -> list[Samples]:
    """The texts in reserved voices that are installed, each [n] at 16 kHz."""
    random = Random(seed)
    return [_in_some_voice(text, random) for text in texts]


def _in_some_voice(text: str, random: Random) -> Samples:
    if is_chinese(text):
        return speak(toned(text), mandarin_voice(random, True)).samples
    while True:
        try:
            return speak(text, evaluation_voice(random)).samples
        except FileNotFoundError:
            continue  # that voice's program is not installed; espeak-ng is needed in any case


def pictures(count: int, seed: int = 7) -> list[Pixels]:
    """Drawn scenes kept back from training."""
    random = Random(seed)
    return [draw(images.scene(random, held_out=True)).pixels for _ in range(count)]


def answer_parity(
    run: Path, tokenizer: Path, typed: int = 40, heard: int = 40, seen: int = 20
) -> Parity:
    """Export a run's folder as it will be served, and compare. Raises FileNotFoundError."""
    parts = read_run(run, tokenizer)
    texts = questions(typed + heard)
    with TemporaryDirectory() as folder:
        # The networks are compared, so nothing is read but what both of them heard.
        bundle = replace(Bundle.read(export(parts, Path(folder))), recogniser=None)
        clips = spoken(texts[typed:])
        return compare(parts, bundle, texts[:typed], clips, pictures=pictures(seen))
