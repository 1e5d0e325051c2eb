"""The voice that nano's voice learns from: festival's HTS voice, with the times of its words."""

from __future__ import annotations

import logging
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from models.base import SPEAK_RATE, Samples
from models.vita.letters import spell

logger = logging.getLogger(__name__)

VOICE = "cmu_us_slt_arctic_hts"
GAIN = 1.4  # the voice is quiet: its loudest samples are near 0.6
_BATCH = 100  # sentences for one run of festival

_SAY = """
(define (say text name)
  (let ((utterance (utt.synth (eval (list 'Utterance 'Text text))))
        (file (fopen (string-append name ".words") "w")))
    (mapcar
      (lambda (word)
        (format file "%s %f %f\\n" (item.name word)
          (item.feat word "word_start") (item.feat word "word_end")))
      (utt.relation.items utterance 'Word))
    (fclose file)
    (utt.save.wave utterance (string-append name ".wav") 'riff)))
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read aloud: samples [n] at 24 kHz, and for each written word its (start, end) in
    seconds. Pauses belong to no word."""

    text: str
    samples: Samples
    words: tuple[tuple[float, float], ...]


def read_aloud(texts: Sequence[str], voice: str = VOICE) -> Iterator[Reading]:
    """Readings in the order of the texts; a text is left out (and counted in the log) where the
    voice's words are not those of the text, one to one.

    Raises FileNotFoundError without festival, subprocess.CalledProcessError without the voice.
    """
    lost = 0
    for start in range(0, len(texts), _BATCH):
        for reading in _batch(texts[start : start + _BATCH], voice):
            if reading is None:
                lost += 1
            else:
                yield reading
    logger.info("%d texts read, %d left out", len(texts) - lost, lost)


def _batch(texts: Sequence[str], voice: str) -> Iterator[Reading | None]:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "say.scm")
        calls = [
            f'(say "{spell(text).letters.strip()}" "{folder}/{index}")'
            for index, text in enumerate(texts)
        ]
        script.write_text("\n".join((f"(voice_{voice})", _SAY, *calls)))
        subprocess.run(["festival", "-b", str(script)], check=True, capture_output=True)
        for index, text in enumerate(texts):
            yield _reading(text, Path(folder, str(index)))


def _reading(text: str, stem: Path) -> Reading | None:
    samples, rate = soundfile.read(stem.with_suffix(".wav"), dtype="float32")
    said = stem.with_suffix(".words").read_text().splitlines()
    words = _written_words(text, [line.split() for line in said])
    if words is None:
        return None
    samples = soxr.resample(samples, rate, SPEAK_RATE) * np.float32(GAIN)
    return Reading(text, np.clip(samples, -1, 1), words)


def _written_words(text: str, said: list[list[str]]) -> tuple[tuple[float, float], ...] | None:
    """Spans of the words as spelled: the voice splits off "'s", which is joined again."""
    spans: list[tuple[str, float, float]] = []
    for name, start, end in said:
        if name.startswith("'") and spans:
            spans[-1] = (spans[-1][0] + name, spans[-1][1], float(end))
        else:
            spans.append((name, float(start), float(end)))
    spelled = re.findall(r"[a-z']+", spell(text).letters)
    if [_bare(word) for word in spelled] != [_bare(name) for name, _, _ in spans]:
        return None
    return tuple((start, end) for _, start, end in spans)


def _bare(word: str) -> str:
    return word.replace("'", "").lower()
