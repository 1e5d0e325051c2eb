"""The scores of nano's Chinese voice: its letters as nano's own ears spell them, places, ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch

from audio.features import FilterBank
from models.base import HEAR_RATE, SPEAK_RATE, Samples
from models.training.listener import ALPHABET, Listener
from models.training.pinyin import spelled
from models.training.scoring import word_errors
from models.training.speech_data import SpokenUtterance, recorded
from models.training.speech_evaluation import TorchVoice
from models.training.speech_mandarin import read_mandarin
from models.training.speech_samples import codes_of, load_codec
from models.training.speech_scores import teacher_forced_boundary
from models.training.speech_training import load_speech
from models.vita.code_stream import SAMPLES_PER_CODE, CodeStream
from models.vita.nano_codec import NanoCodec


@dataclass(frozen=True, slots=True)
class MandarinScores:
    """Letter error rates by the letter head of nano's ears, which were trained apart from the
    voice but on the same synthesiser (weak evidence): of the teacher's own sound, of its features
    through codec and vocoder, and of nano. The median boundary error in milliseconds is that of
    the aligner on the teacher's codes against the synthesiser's times of syllables."""

    sentences: int
    letters: int
    teacher_letter_errors: float
    codec_letter_errors: float
    nano_letter_errors: float
    finished: float
    teacher_forced_boundary: float
    codes_per_teacher_code: float


class LetterEars:
    """The letters that nano's ears spell, the likeliest in each frame."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._bank = listener.eval(), FilterBank

    @torch.no_grad()
    def hear(self, samples: Samples) -> str:
        """Samples at 24 kHz -> words in letters, with single spaces."""
        sound = soxr.resample(samples, SPEAK_RATE, HEAR_RATE)
        features = torch.from_numpy(self._bank()(np.asarray(sound, np.float32)))[None]
        _, scores, counts = self._listener.frames(features, torch.tensor([features.shape[1]]))
        best = scores[0, : int(counts[0])].argmax(-1).tolist()
        kept = [new for old, new in zip([0, *best], best, strict=False) if new not in (0, old)]
        return " ".join("".join(ALPHABET[index - 1] for index in kept).split())

    def errors(self, texts: Sequence[str], sounds: Sequence[Samples]) -> float:
        """Letters wrong, missing or too many, as a share of all letters."""
        true = [spelled(text) for text in texts]
        pairs = zip(true, map(self.hear, sounds), strict=True)
        wrong = sum(word_errors(list(right), list(heard)) for right, heard in pairs)
        return wrong / sum(map(len, true))


def score_mandarin(
    held_out: Path, codec_file: Path, speech_file: Path, ears: LetterEars, most: int = 60
) -> MandarinScores:
    """Measure on the first `most` held-out readings. Raises RuntimeError without espeak-ng."""
    codec, decoder = load_codec(codec_file), load_speech(speech_file)
    spoken = list(recorded(held_out))[:most]
    texts = [reading.text for reading in spoken]
    voice = TorchVoice(decoder, codec)
    recited = [voice.say(text) for text in texts]
    frames = sum(len(reading.features) for reading in spoken)
    codes = sum(len(answer.codes) for answer in recited)
    return MandarinScores(
        sentences=len(texts),
        letters=sum(len(spelled(text)) for text in texts),
        teacher_letter_errors=ears.errors(texts, [r.samples for r in read_mandarin(texts)]),
        codec_letter_errors=ears.errors(texts, [decoded(part, codec) for part in spoken]),
        nano_letter_errors=ears.errors(texts, [answer.samples for answer in recited]),
        finished=sum(answer.finished for answer in recited) / len(recited),
        teacher_forced_boundary=teacher_forced_boundary(spoken, codec, decoder),
        codes_per_teacher_code=codes / (frames * 200 / SAMPLES_PER_CODE),
    )


@torch.no_grad()
def decoded(spoken: SpokenUtterance, codec: NanoCodec) -> Samples:
    """A reading through the codec and the vocoder."""
    stream = CodeStream(lambda codes: codec.decoder(torch.from_numpy(codes)).numpy())
    return np.concatenate((stream.feed(codes_of(spoken, codec).tolist()), stream.flush()))
