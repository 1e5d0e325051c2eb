"""The Chinese voice that nano learns from: espeak-ng's, moved to where the English one is."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import SPEAK_RATE
from models.training.codec_features import analyse
from models.training.speech_data import SpokenUtterance
from models.training.speech_samples import SPOKEN_WORD
from models.training.speech_teacher import Reading
from models.training.synthesis import espeak
from models.training.voices import Voice
from models.vita.letters import spell
from models.vita.vocoder import BANDS, PITCH, VOICING

logger = logging.getLogger(__name__)

VOICE = Voice("espeak", "f5", "cmn-latn-pinyin", speed=1.0)
GAIN = 0.3  # the voice fills the whole range
PITCHES = (90.0, 420.0)  # hertz: falling tones end lower than an English sentence does
_PITCH_RANGE = 0.17  # octaves, standard deviation: the English voice's 0.14 flattens the tones
_LOUD = -13.0  # log power of the loudest band in frames that statistics are taken of
_DEEPEST = -20.7  # log power of silence, as in the analysis
_EMPTY = 3.0  # a band that needs more than this scale has no sound in it
_MEASURED = 40  # texts

Features = npt.NDArray[np.float32]


def read_mandarin(texts: Sequence[str]) -> Iterator[Reading]:
    """Readings in the order of the texts; the times are those of syllables. A text is left out
    (and counted in the log) that is not Chinese throughout.

    Raises RuntimeError without espeak-ng.
    """
    lost = 0
    for text in texts:
        reading = _reading(text)
        if reading is None:
            lost += 1
        else:
            yield reading
    logger.info("%d Chinese texts read, %d left out", len(texts) - lost, lost)


def _reading(text: str) -> Reading | None:
    letters = spell(text).letters.strip()
    syllables = SPOKEN_WORD.findall(letters)
    if not syllables or not all(syllable[-1].isdigit() for syllable in syllables):
        return None
    spoken = espeak().speak(re.sub(r"([1-5])(?=[a-z])", r"\1 ", letters), VOICE, SPEAK_RATE)
    spans = syllable_times(spoken.phones)
    if len(spans) != len(syllables):
        return None
    return Reading(text, spoken.samples * np.float32(GAIN), spans)


def syllable_times(phones: Iterable[tuple[float, str]]) -> tuple[tuple[float, float], ...]:
    """Start and end of each syllable in seconds, from espeak-ng's phonemes: "_|" ends a word, any
    other "_" is a pause. The closure before a stop belongs to the syllable."""
    spans: list[tuple[float, float]] = []
    begin: float | None = None
    waiting: float | None = None  # where the last syllable ended, if no pause came since
    for time, name in phones:
        if name == "_|":
            if begin is not None:
                spans.append((begin, time))
            begin, waiting = None, time
        elif name.startswith("_"):
            waiting = None
        elif begin is None:
            begin = time if waiting is None else waiting
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How one voice's features become another's. `shift`, `scale` and the other voice's `middle`:
    [PITCH + 1]. `noise`: the other
    voice's aperiodicity [2, NOISE_BANDS] without and with voice, since that of a synthesiser hardly
    moves and says nothing. `bands`: how many bands of the envelope the synthesiser fills; those
    above follow the last of them."""

    shift: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    middle: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    bands: int

    @staticmethod
    def between(own: Features, other: Features) -> Likeness:
        """From the statistics of one voice [n, FEATURES] to those of another, over its loud (for
        the pitch: its voiced) frames; but the pitch moves more than an English one does."""
        (mean, deviation), (target, spread) = _statistics(own), _statistics(other)
        spread[PITCH] = _PITCH_RANGE
        scale = spread / deviation
        bands = int(np.argmax(np.append(scale[:BANDS] > _EMPTY, True)))
        scale[bands:BANDS] = 0.0
        voice = other[:, VOICING] > 0.5
        noise = np.stack([other[voice == said, BANDS:PITCH].mean(0) for said in (False, True)])
        return Likeness(target - mean * scale, scale, target, noise, bands)

    def move(self, features: Features) -> Features:
        moved = features.copy()
        moved[:, : PITCH + 1] = features[:, : PITCH + 1] * self.scale + self.shift
        last = self.bands - 1
        moved[:, self.bands : BANDS] += moved[:, last : self.bands] - self.middle[last]
        moved[:, :BANDS] = np.maximum(moved[:, :BANDS], _DEEPEST)
        moved[:, BANDS:PITCH] = self.noise[(features[:, VOICING] > 0.5).astype(int)]
        return moved


def _statistics(features: Features) -> tuple[Features, Features]:
    loud = features[features[:, :BANDS].max(1) > _LOUD][:, : PITCH + 1]
    pitch = features[features[:, VOICING] > 0.5][:, PITCH]
    mean, deviation = loud.mean(0), loud.std(0)
    mean[PITCH], deviation[PITCH] = pitch.mean(), pitch.std()
    return mean, deviation


class MandarinTeacher:
    """Chinese texts as features that lie where those of the English voice lie."""

    def __init__(self, english: Iterable[SpokenUtterance], texts: Sequence[str]) -> None:
        """`texts` are those that the voice is measured on, the first few of them."""
        other = np.concatenate([spoken.features for spoken in english]).astype(np.float32)
        own = [analyse(part.samples, PITCHES) for part in read_mandarin(texts[:_MEASURED])]
        self.likeness = Likeness.between(np.concatenate(own), other)

    def read(self, texts: Sequence[str]) -> Iterator[SpokenUtterance]:
        for reading in read_mandarin(texts):
            features = self.likeness.move(analyse(reading.samples, PITCHES))
            words = np.array(reading.words, np.float32)
            yield SpokenUtterance(reading.text, features.astype(np.float16), words)
