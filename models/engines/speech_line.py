"""models.engines: a torch speech decoder's memory for one spoken chunk at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.engines.torch_line import Buffers, GraphedStep, Step
from models.vita.cache import LayerCache
from models.vita.speech_decoder import SpeechDecoder


class SpeechLine:
    """Made once for a stream: room for `text` vectors and `codes`."""

    def __init__(self, decoder: SpeechDecoder, text: int, codes: int) -> None:
        config, like = decoder.config, decoder.norm.weight
        self.decoder, self._step = decoder, _speech_step(decoder)
        self.text = text
        head = config.width // config.heads
        capacity = 1 + text + codes
        self.buffers = Buffers.empty(config.layers, capacity, config.heads, head, like)
        self._length = 0
        example = torch.zeros(1, 1, dtype=torch.long, device=like.device)
        self._graphed = GraphedStep(self._step, self.buffers, example) if like.is_cuda else None
        if self._graphed is not None:
            self._graphed.prepare()

    @property
    def full(self) -> bool:
        return self._length >= self.buffers.capacity

    def begin(self, text: Tensor) -> None:
        """Read text vectors [n, width] of a new chunk; those beyond the room are left out."""
        _, kept = self.decoder.prefill(text[None, : self.text])
        self.buffers.put(kept, 0)
        self._length = kept[0].shape[1]

    def advance(self, code: int) -> tuple[Tensor, Tensor | None]:
        """Read one code: the logits [codes + 4] of the next, and the aligner's weights [keys] over
        bos, text, codes (and perhaps places that are empty). Valid until the next call."""
        device = self.decoder.norm.weight.device
        codes = torch.tensor([[code]], device=device)
        if self._graphed is not None:
            made = self._graphed(codes, self._length)
        else:
            place = torch.tensor([self._length], device=device)
            made = self._step(codes, place, self.buffers.window(self._length), None)
        self._length += 1
        return made[0][0], made[1][0] if len(made) > 1 else None


def _speech_step(decoder: SpeechDecoder) -> Step:
    """Logits, and the aligner's weights where the decoder has one. Of the decoder alone, not of a
    line: a line that is dropped is gone at once."""

    def step(
        codes: Tensor, positions: Tensor, cache: Sequence[LayerCache], mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        logits, weights = decoder.step(codes, positions, cache, mask)
        return (logits,) if weights is None else (logits, weights)

    return step
