"""How much GPU memory a VITA checkpoint takes, calculated from its sizes; nothing is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final

import torch

from models.base import SPARE_STREAMS
from models.vita.checkpoint import dtype_of, expected_shapes
from models.vita.config import LanguageModelConfig, SpeechDecoderConfig, VitaConfig
from models.vita.speech_decoder import batch_rows, row_places

HALF: Final = 2  # bytes of a number in a cache on a GPU
OVERHEAD: Final = 1_500_000_000  # CUDA's contexts, its libraries' workspaces, activations: a guess
USABLE: Final = 0.95  # of a card's memory
INSTANCES: Final = 2
SPOKEN_TEXT: Final = 512  # vectors of one spoken chunk
MOST: Final = 1_024  # conversations at once that anybody asks for


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes. `weights` are there once for all instances; `stream` is a conversation's cache on one
    instance, `voice` its place in the speech decoder's memory there."""

    weights: int
    stream: int
    voice: int

    def instance(self, conversations: int) -> int:
        """What one instance adds that is prepared for so many conversations at once."""
        streams = conversations + SPARE_STREAMS
        return streams * self.stream + batch_rows(streams) * self.voice

    def total(self, conversations: int) -> int:
        """What a server takes that is prepared for so many conversations at once."""
        return self.weights + OVERHEAD + INSTANCES * self.instance(conversations)

    def conversations(self, card: int) -> int:
        """How many conversations fit on a card of so many bytes, by memory alone; MOST at most."""
        fits = (count for count in range(MOST, 0, -1) if self.total(count) <= USABLE * card)
        return next(fits, 0)


def footprint(config: VitaConfig, context: int) -> Footprint:
    """Of a model with `context` tokens a conversation, on a GPU."""
    return Footprint(
        weights=weight_bytes(config),
        stream=cache_bytes(config.language, context),
        voice=0 if config.speech is None else voice_bytes(config.speech),
    )


def weight_bytes(config: VitaConfig) -> int:
    """Of all parts, each in the precision in which it is served on a GPU."""
    sizes = {dtype: torch.tensor([], dtype=dtype).itemsize for dtype in _DTYPES}
    shapes = expected_shapes(config).items()
    return sum(prod(shape) * sizes[dtype_of(key, torch.bfloat16)] for key, shape in shapes)


_DTYPES = (torch.bfloat16, torch.float16, torch.float32)


def cache_bytes(language: LanguageModelConfig, context: int) -> int:
    """Keys and values of one stream; a model has no more places than `positions`."""
    width = language.width // language.heads * language.key_value_heads
    return HALF * 2 * language.layers * width * min(context, language.positions)


def voice_bytes(speech: SpeechDecoderConfig) -> int:
    """Keys and values of one spoken chunk."""
    places = row_places(1 + SPOKEN_TEXT + speech.max_codes)
    return HALF * 2 * speech.layers * speech.width * places
