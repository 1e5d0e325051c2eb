"""models.engines: the voice of one answer of a VITA checkpoint, a code at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.base import AnswerChunk, Samples
from models.engines.torch_line import Buffers, GraphedStep
from models.synthesizers.choice import estimated_words
from models.vita.cache import LayerCache
from models.vita.chunker import Chunker
from models.vita.codec import Codec, CodecStream
from models.vita.network import Vita
from models.vita.prompt import VitaPrompt
from models.vita.segmenter import trim_onset
from models.vita.speech_decoder import SpeechDecoder

FIRST_CODES, NEXT_CODES = 10, 20  # decoded at once, beside the codec's context
TEXT_VECTORS = 512  # of one spoken chunk, at most
QUIET_SAMPLES = 12_000  # of silence before an answer that are left out, at most
CODES_PER_VECTOR, SPARE_CODES = 8, 40  # a chunk that grows longer than this has lost its way


class SpeechLine:
    """The speech decoder's memory for one spoken chunk at a time; made once for a stream."""

    def __init__(self, decoder: SpeechDecoder) -> None:
        config, like = decoder.config, decoder.norm.weight
        self.decoder = decoder
        capacity = 1 + TEXT_VECTORS + config.max_codes
        head = config.width // config.heads
        self.buffers = Buffers.empty(config.layers, capacity, config.heads, head, like)
        self._length = 0
        example = torch.zeros(1, 1, dtype=torch.long, device=like.device)
        self._graphed = GraphedStep(self._step, self.buffers, example) if like.is_cuda else None
        if self._graphed is not None:
            self._graphed.prepare()

    def begin(self, text: Tensor) -> None:
        """Read text vectors [n, width] of a new chunk."""
        _, kept = self.decoder.prefill(text[None])
        self.buffers.put(kept, 0)
        self._length = kept[0].shape[1]

    def advance(self, code: int) -> Tensor:
        """Read one code; gives the logits [codes + 4] of the next."""
        device = self.decoder.norm.weight.device
        codes = torch.tensor([[code]], device=device)
        if self._graphed is not None:
            logits = self._graphed(codes, self._length)
        else:
            place = torch.tensor([self._length], device=device)
            logits, _ = self.decoder.step(codes, place, self.buffers.window(self._length))
        self._length += 1
        return logits[0]

    def _step(
        self, codes: Tensor, positions: Tensor, cache: Sequence[LayerCache], mask: Tensor
    ) -> Tensor:
        return self.decoder.step(codes, positions, cache, mask)[0]


def next_code(logits: Tensor, top_k: int, random: np.random.Generator) -> int:
    """Draw among the `top_k` likeliest, by their renormalised probabilities."""
    scores, codes = logits.double().topk(top_k)
    shares = scores.softmax(-1).cpu().numpy()
    return int(codes[int(random.choice(top_k, p=shares / shares.sum()))])


@dataclass(slots=True)
class _Running:
    text: str
    most: int
    code: int
    begun: int  # samples of the answer before this chunk
    made: int = 0


class VitaVoice:
    """Text in as it is written, sound and word times out. `step` makes one code, or begins one
    spoken chunk. Where a chunk ends is exact; words inside it are in proportion."""

    def __init__(
        self, model: Vita, prompt: VitaPrompt, line: SpeechLine, codec: Codec, seed: int | None
    ) -> None:
        self._model, self._prompt, self._line = model, prompt, line
        self._config = line.decoder.config
        self._random = np.random.default_rng(0 if seed is None else seed)
        self._chunker = Chunker()
        self._waiting: deque[str] = deque()
        self._codes = CodecStream(codec, FIRST_CODES)
        self._running: _Running | None = None
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
        ids = self._prompt.encode(text.strip().lower())
        device = self._line.decoder.norm.weight.device
        words = self._model.language.embed(torch.tensor([ids], dtype=torch.long, device=device))
        vectors = self._line.decoder.split(words)[0, :TEXT_VECTORS]
        if not len(vectors):
            return []
        self._line.begin(vectors)
        most = min(self._config.max_codes, SPARE_CODES + CODES_PER_VECTOR * len(vectors))
        self._running = _Running(text, most, self._config.start, self._samples)
        return []

    def _speak(self, running: _Running) -> list[AnswerChunk]:
        logits = self._line.advance(running.code)
        running.code = next_code(logits, self._config.top_k, self._random)
        running.made += 1
        if running.code == self._config.end or running.made >= running.most:
            return self._finish(running)
        if running.code >= self._config.codes:  # no sound: bos, start or padding
            return []
        piece = self._codes.push(running.code)
        samples = self._taken(piece)
        return [AnswerChunk(samples=samples)] if len(samples) else []

    def _finish(self, running: _Running) -> list[AnswerChunk]:
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
