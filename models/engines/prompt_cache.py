"""A language model's cache that follows a prompt: what is cached already is not computed again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from models.base import OutOfRoom
from models.engines.prompt import EMPTY, Array, Piece, Prompt, Vectors


class StreamDecoder(Protocol):
    """The language model of one stream: a cache of `length` tokens, and what comes after them."""

    piece: int  # tokens that are read in one go, so that long texts do not hold up other streams

    @property
    def capacity(self) -> int: ...
    @property
    def length(self) -> int: ...

    def vectors(self, pieces: Sequence[Piece]) -> Vectors:
        """Token ids and features as the language model reads them, [n, width]."""
        ...

    def vectors_of(self, embedded: Array) -> Vectors:
        """Sound that was embedded before, [n, width], where this decoder computes."""
        ...

    def array_of(self, vectors: Sequence[Vectors]) -> Array:
        """Vectors one behind the other as numbers that another stream can take, [n, width]."""
        ...

    def read(self, vectors: Vectors) -> None:
        """Read [n, width] behind what is cached."""
        ...

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        ...

    def scores(self, ids: Sequence[int]) -> list[float]:
        """Logits of some tokens behind what was read last, in float32."""
        ...

    def choose(self, temperature: float, random: np.random.Generator, barred: Sequence[int]) -> int:
        """The next token: the likeliest, or one that is drawn; never one of `barred`."""
        ...


class PromptCache:
    """Keeps a decoder's cache in step with prompts. Any prompt may follow any other: the cache goes
    back to where they differ and reads the rest."""

    def __init__(self, decoder: StreamDecoder) -> None:
        self.decoder = decoder
        self._prompt = EMPTY  # the decoder has read its first `decoder.length` tokens

    def check(self, prompt: Prompt) -> None:
        """Raises OutOfRoom for a prompt that is longer than the cache."""
        if prompt.length > self.decoder.capacity:
            raise OutOfRoom(f"{prompt.length} tokens of {self.decoder.capacity}")

    def filling(self, prompt: Prompt) -> Iterator[None]:
        """Read a prompt, a piece at each step; it may be left unfinished. Raises OutOfRoom."""
        self.check(prompt)
        return self._filling(prompt, self._cached(prompt))

    def reading(self, prompt: Prompt) -> Iterator[None]:
        """The same for a prompt that is not empty, at the end of which the decoder tells what comes
        after it: its last token is read even if it was cached."""
        self.check(prompt)
        return self._filling(prompt, min(self._cached(prompt), prompt.length - 1))

    def read(self, prompt: Prompt) -> None:
        """`reading` in one go. Raises OutOfRoom."""
        for _ in self.reading(prompt):
            pass

    def holds(self, prompt: Prompt) -> bool:
        """Is exactly this prompt cached?"""
        return self._prompt == prompt and self.decoder.length == prompt.length

    def _cached(self, prompt: Prompt) -> int:
        return min(prompt.shared(self._prompt), self.decoder.length)

    def _filling(self, prompt: Prompt, kept: int) -> Iterator[None]:
        decoder = self.decoder
        decoder.rewind(kept)
        self._prompt = prompt
        pieces = prompt.behind(kept)
        vectors = decoder.vectors(pieces) if pieces else ()
        for start in range(0, len(vectors), decoder.piece):
            decoder.read(vectors[start : start + decoder.piece])
            yield
