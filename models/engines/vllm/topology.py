"""One engine for both instances of a pair, or one for each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from models.vita.config import LanguageModelConfig

Topology: TypeAlias = Literal["auto", "dual", "single"]
MEBIBYTE = 2**20
OVERHEAD = 1_024 * MEBIBYTE  # of a process, beside weights and cache
LEAST_STREAMS = 4  # whole conversations that each engine must have room for


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes. `stream`: keys and values of one full stream."""

    weights: int
    stream: int
    is_shared: bool = False  # both engines of a pair map one copy of the weights

    def of(self, engines: int) -> int:
        """What so many engines need at least."""
        copies = 1 if self.is_shared else engines
        return copies * self.weights + engines * (OVERHEAD + LEAST_STREAMS * self.stream)


def is_dual(wish: Topology, needs: Needs, there: int, pairs: int = 1) -> bool:
    """Two engines a pair where that is wished, or where it fits into the memory that is there."""
    if wish != "auto":
        return wish == "dual"
    return needs.of(2 * pairs) <= there


def needs_of(
    language: LanguageModelConfig, context: int, number_bytes: int, *, is_shared: bool = False
) -> Needs:
    """What a language model needs with so many tokens a stream and bytes a number."""
    head = language.width // language.heads
    a_token = 2 * language.layers * language.key_value_heads * head * number_bytes
    return Needs(number_bytes * _parameters(language), a_token * context, is_shared)


def _parameters(language: LanguageModelConfig) -> int:
    """Of the language model, give or take its norms and biases."""
    head = language.width // language.heads
    attention = 2 * language.width * (language.heads + language.key_value_heads) * head
    feed_forward = 3 * language.width * language.feed_forward * max(1, language.experts)
    table = language.vocabulary * language.width * (1 if language.tied else 2)
    return language.layers * (attention + feed_forward) + table
