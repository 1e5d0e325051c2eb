"""The scores of nano's voice on held-out texts: words understood, places of words, chunks ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.base import SPEAK_RATE
from models.training.scoring import word_errors
from models.training.speech_data import SpokenUtterance, recorded
from models.training.speech_evaluation import (
    Recited,
    TorchVoice,
    WordRecogniser,
    spoken_words,
)
from models.training.speech_samples import SpeechSample, codes_of, load_codec, samples_of
from models.training.speech_teacher import Reading, read_aloud
from models.training.speech_training import NANO_SPEECH, batch_of, load_speech
from models.vita.nano_codec import NanoCodec
from models.vita.speech_decoder import SpeechDecoder
from models.vita.spoken_chunk import SpokenChunkDecoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VoiceScores:
    """Word error rates by pocketsphinx with a grammar of the test sentences and with its free
    language model; median boundary errors in milliseconds, of the aligner on the teacher's own
    codes against the teacher's word times, and on nano's speech against a forced alignment."""

    sentences: int
    words: int
    teacher_word_errors: float
    nano_word_errors: float
    teacher_free_word_errors: float
    nano_free_word_errors: float
    finished: float
    teacher_forced_boundary: float
    spoken_boundary: float
    codes_per_teacher_code: float


def score(held_out: Path, codec_file: Path, speech_file: Path, most: int = 80) -> VoiceScores:
    """Measure on the first `most` held-out readings."""
    codec, decoder = load_codec(codec_file), load_speech(speech_file)
    free = WordRecogniser()
    spoken = [reading for reading in recorded(held_out) if free.known(reading.text)][:most]
    texts = [reading.text for reading in spoken]
    teacher = list(read_aloud(texts))
    voice = TorchVoice(decoder, codec)
    recited = [voice.say(text) for text in texts]
    held = WordRecogniser(texts)
    true = [spoken_words(text) for text in texts]
    count = sum(len(words) for words in true)

    def rate(recogniser: WordRecogniser, sounds: Sequence[Recited] | Sequence[Reading]) -> float:
        heard = [recogniser.hear(sound.samples) for sound in sounds]
        pairs = zip(true, heard, strict=True)
        return sum(word_errors(words, other) for words, other in pairs) / count

    return VoiceScores(
        sentences=len(texts),
        words=count,
        teacher_word_errors=rate(held, teacher),
        nano_word_errors=rate(held, recited),
        teacher_free_word_errors=rate(free, teacher),
        nano_free_word_errors=rate(free, recited),
        finished=sum(answer.finished for answer in recited) / len(recited),
        teacher_forced_boundary=teacher_forced_boundary(spoken, codec, decoder),
        spoken_boundary=spoken_boundary(texts, recited),
        codes_per_teacher_code=sum(len(answer.codes) for answer in recited)
        / sum(len(reading.samples) // 600 - 12 for reading in teacher),
    )


@torch.no_grad()
def teacher_forced_boundary(
    readings: Sequence[SpokenUtterance], codec: NanoCodec, decoder: SpeechDecoder
) -> float:
    """Median milliseconds between the ends of words by the aligner and by the teacher."""
    distances: list[float] = []
    for reading in readings:
        for sample in samples_of(reading, codes_of(reading, codec), None):
            distances += _boundary_distances(sample, decoder)
    return float(np.median(distances)) * 1000


def _boundary_distances(sample: SpeechSample, decoder: SpeechDecoder) -> list[float]:
    batch = batch_of([sample], NANO_SPEECH.end)
    text = decoder.embed_text(batch.letters)
    _, weights = decoder(text, batch.lengths, batch.codes, return_alignment=True)
    follower, truth = SpokenChunkDecoder(sample.spelling), SpokenChunkDecoder(sample.spelling)
    edge = np.zeros(1, np.float32)
    likely = np.zeros(NANO_SPEECH.codes + 4, np.float32)
    for row, place in zip(weights[0].numpy(), sample.spoken, strict=False):
        follower.take(likely, np.concatenate((edge, row)))
        truth.places.append(int(place))
    pairs = zip(follower.words(), truth.words(), strict=False)
    return [abs(a.end - b.end) / SPEAK_RATE for a, b in pairs]


def spoken_boundary(texts: Sequence[str], recited: Sequence[Recited]) -> float:
    """Median distance in milliseconds between the ends of nano's words and those that a forced
    alignment finds, over answers whose words are all in the recogniser's dictionary."""
    recogniser = WordRecogniser()
    distances: list[float] = []
    for text, answer in zip(texts, recited, strict=True):
        try:
            aligned = recogniser.align(answer.samples, spoken_words(text))
        except RuntimeError:
            logger.info("no alignment for %r", text)
            continue
        if len(aligned) == len(answer.words):
            pairs = zip(answer.words, aligned, strict=True)
            distances += [abs(word.end / SPEAK_RATE - end) for word, (_, _, end) in pairs]
    return float(np.median(distances)) * 1000 if distances else float("nan")
