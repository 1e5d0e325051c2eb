"""Is nano's speech understood, and are its words where it says? Judged by another recogniser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr
import torch
from pocketsphinx import Decoder

from models.base import HEAR_RATE, SPEAK_RATE, Samples, SpokenWord
from models.vita.cache import growing
from models.vita.chunker import chunks_of
from models.vita.code_stream import CodeStream
from models.vita.letters import spell
from models.vita.nano_codec import NanoCodec
from models.vita.speech_decoder import SpeechDecoder
from models.vita.spoken_chunk import START, CodeChoice, SpokenChunkDecoder


@dataclass(frozen=True, slots=True)
class Recited:
    """A whole answer as nano says it."""

    samples: Samples
    words: tuple[SpokenWord, ...]
    codes: tuple[int, ...]
    finished: bool  # every chunk ended by the end code, at its last letters


class TorchVoice:
    """Text to sound with the torch modules: the reference for every engine."""

    def __init__(self, decoder: SpeechDecoder, codec: NanoCodec, choice: CodeChoice | None = None):
        self._decoder, self._codec = decoder.eval(), codec.eval()
        self._choice = choice or CodeChoice()

    @torch.no_grad()
    def say(self, text: str) -> Recited:
        codes: list[int] = []
        words: list[SpokenWord] = []
        finished = True
        for chunk in chunks_of(text):
            recital = SpokenChunkDecoder(spell(chunk.text, chunk.inside), self._choice)
            if not recital.spelling.letters:
                continue
            self._recite(recital)
            words += recital.words(len(codes))
            codes += recital.codes
            finished = finished and recital.complete
        stream = CodeStream(self._decode)
        samples = np.concatenate((stream.feed(codes), stream.flush()))
        return Recited(samples, tuple(words), tuple(codes), finished)

    def _recite(self, recital: SpokenChunkDecoder) -> None:
        ids = torch.tensor([recital.spelling.ids])
        _, cache = self._decoder.prefill(self._decoder.embed_text(ids))
        code: int | None = START
        position = 1 + ids.shape[1]
        while code is not None:
            layers = growing(cache)
            logits, weights = self._decoder.step(
                torch.tensor([[code]]), torch.tensor([position]), layers
            )
            assert weights is not None
            cache = tuple(whole for layer in layers for whole in layer.whole)
            code = recital.take(logits[0].numpy(), weights[0].numpy())
            position += 1

    def _decode(self, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        out = self._codec.decoder(torch.from_numpy(codes))
        return np.asarray(out.numpy(), np.float32)


class WordRecogniser:
    """Pocketsphinx, held to a list of sentences where one is given, else free English. Sentences
    must be `known`."""

    def __init__(self, sentences: Sequence[str] = ()) -> None:
        self._decoder = Decoder(samprate=HEAR_RATE, loglevel="FATAL")
        if sentences:
            self._decoder.add_jsgf_string("sentences", _grammar(sentences))
            self._decoder.activate_search("sentences")

    def known(self, text: str) -> bool:
        """Are all words of the text in the dictionary?"""
        return all(self._decoder.lookup_word(word) for word in spoken_words(text))

    def hear(self, samples: Samples) -> list[str]:
        """The words understood in samples at 24 kHz."""
        self._decode(samples)
        heard = self._decoder.hyp()
        return heard.hypstr.split() if heard else []

    def align(self, samples: Samples, words: Sequence[str]) -> list[tuple[str, float, float]]:
        """Words with starts and ends in seconds, the text being known. Raises RuntimeError for a
        word that is not in its dictionary, and where the words are not to be found."""
        self._decoder.set_align_text(" ".join(words))
        self._decode(samples)
        parts = self._decoder.seg()
        if parts is None:
            raise RuntimeError("the recogniser does not find these words in this sound")
        return [
            (re.sub(r"\(\d+\)$", "", part.word), part.start_frame / 100, (part.end_frame + 1) / 100)
            for part in parts
            if not part.word.startswith(("<", "["))
        ]

    def _decode(self, samples: Samples) -> None:
        sound = soxr.resample(samples, SPEAK_RATE, HEAR_RATE)
        sound = sound / max(1e-6, float(np.abs(sound).max())) * 0.5
        self._decoder.start_utt()
        self._decoder.process_raw((sound * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()


def _grammar(sentences: Sequence[str]) -> bytes:
    rules = " | ".join(" ".join(spoken_words(sentence)) for sentence in sentences)
    return f"#JSGF V1.0;\ngrammar sentences;\npublic <sentence> = {rules};\n".encode()


def spoken_words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", spell(text).letters)
