"""The voice of one answer of a VITA checkpoint, a code at a time."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.base import AnswerChunk, Samples
from models.engines.speech_batcher import SpeechSlot
from models.synthesizers.recitation import estimated_words
from models.vita.chunker import VITA_CUTS, Chunker
from models.vita.codec import Codec, CodecStream
from models.vita.network import Vita
from models.vita.prompt import VitaPrompt
from models.vita.segmenter import trim_onset

FIRST_CODES, NEXT_CODES = 10, 20  # decoded at once, beside the codec's context
TEXT_VECTORS = 512  # of one spoken chunk, at most
QUIET_SAMPLES = 12_000  # of silence before an answer that are left out, at most
_MARKDOWN = re.compile(r"[*_`#~]+")
_COMMA = re.compile(r"(?<!\d)[,，]|[,，](?!\d)")  # none inside a number
_STOPS = {",": ".", "，": "。"}
CODES_PER_VECTOR, SPARE_CODES = 8, 40  # a chunk that grows longer than this has lost its way


def spoken_form(text: str, *, is_first: bool) -> str:
    """A chunk as VITA's speech decoder reads it: small letters without markdown. In an answer's
    first chunk commas are full stops; a later one keeps the space before it, since " how" and "how"
    are different tokens."""
    plain = _MARKDOWN.sub("", text).lower()
    if is_first:
        return _COMMA.sub(lambda comma: _STOPS[comma.group()], plain.strip())
    space = " " if plain[:1].isspace() else ""
    return space + plain.strip()


def next_code(logits: Tensor, top_k: int, random: np.random.Generator) -> int:
    """Draw among the `top_k` likeliest, by their renormalised probabilities."""
    scores, codes = logits.double().topk(top_k)
    shares = scores.softmax(-1).cpu().numpy()
    return int(codes[int(random.choice(top_k, p=shares / shares.sum()))])


@dataclass(slots=True)
class _RunningVitaChunk:
    text: str
    most: int
    code: int
    begun: int  # samples of the answer before this chunk
    made: int = 0


class VitaVoice:
    """Text in as it is written, sound and word times out. `step` makes one code, or begins one
    spoken chunk. Where a chunk ends is exact; words inside it are in proportion."""

    def __init__(
        self, model: Vita, prompt: VitaPrompt, line: SpeechSlot, codec: Codec, seed: int | None
    ) -> None:
        self._model, self._prompt, self._line = model, prompt, line
        self._config = line.decoder.config
        self._random = np.random.default_rng(0 if seed is None else seed)
        self._chunker = Chunker(VITA_CUTS)
        self._is_first = True
        self._waiting: deque[str] = deque()
        self._codes = CodecStream(codec, FIRST_CODES)
        self._running: _RunningVitaChunk | None = None
        self._samples = 0  # of the answer so far
        self._left_out = 0
        self._written = False
        self.done = False
        self.sounding = False  # a first sound has left

    @property
    def busy(self) -> bool:
        """Is there anything to speak now?"""
        return not self.done and (bool(self._running or self._waiting) or self._written)

    def write(self, text: str) -> None:
        self._waiting.extend(chunk.text for chunk in self._chunker.feed(text))

    def end(self) -> None:
        """The text is complete."""
        self._waiting.extend(chunk.text for chunk in self._chunker.flush())
        self._written = True

    def step(self) -> list[AnswerChunk]:
        if self._running is not None:
            return self._speak(self._running)
        if self._waiting:
            return self._begin(self._waiting.popleft())
        self.done = self._written
        return []

    def _begin(self, text: str) -> list[AnswerChunk]:
        ids = self._prompt.encode(spoken_form(text, is_first=self._is_first))
        self._is_first = False
        device = self._line.decoder.norm.weight.device
        words = self._model.language.embed(torch.tensor([ids], dtype=torch.long, device=device))
        vectors = self._line.decoder.split(words)[0, :TEXT_VECTORS]
        if not len(vectors):
            return []
        self._line.begin(vectors)
        most = min(self._config.max_codes, SPARE_CODES + CODES_PER_VECTOR * len(vectors))
        self._running = _RunningVitaChunk(text, most, self._config.start, self._samples)
        self._line.expect(self._config.start, urgent=not self.sounding)
        return []

    def _speak(self, running: _RunningVitaChunk) -> list[AnswerChunk]:
        logits, _ = self._line.advance(running.code)
        running.code = next_code(logits, self._config.top_k, self._random)
        running.made += 1
        if running.code == self._config.end or running.made >= running.most:
            return self._finish(running)
        self._line.expect(running.code, urgent=not self.sounding)
        if running.code >= self._config.codes:  # no sound: bos, start or padding
            return []
        piece = self._codes.push(running.code)
        samples = self._taken(piece)
        return [AnswerChunk(samples=samples)] if len(samples) else []

    def _finish(self, running: _RunningVitaChunk) -> list[AnswerChunk]:
        samples = self._taken(self._codes.flush())
        words = estimated_words(running.text, running.begun, self._samples)
        self._running = None
        return [AnswerChunk(samples=samples, words=words)]

    def _taken(self, piece: Tensor | None) -> Samples:
        """Samples of a decoded piece, counted; silence before the answer's first sound is left
        out."""
        if piece is None:
            return np.zeros(0, np.float32)
        samples: Samples = piece.float().cpu().numpy()
        if not self.sounding and self._left_out < QUIET_SAMPLES:
            loud = trim_onset(samples)
            self._left_out += len(samples) - len(loud)
            samples = loud
        if len(samples):
            self.sounding, self._codes.chunk = True, NEXT_CODES
        self._samples += len(samples)
        return samples
