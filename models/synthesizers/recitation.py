"""How an answer's text is spoken with one, chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np

from models.base import AnswerChunk, AnswerPart, AnswerUnavailable, SpokenWord, Synthesizer
from models.vita.chunker import Chunker


def estimated_words(text: str, start: int, end: int) -> tuple[SpokenWord, ...]:
    """The words of a spoken chunk over its samples [start, end), in proportion to their letters."""
    words = text.split()
    edges = np.cumsum([0, *(len(word) + 1 for word in words)])
    places = start + (edges * ((end - start) / max(1, edges[-1]))).astype(int)
    return tuple(
        SpokenWord(word, int(places[i]), int(places[i + 1]), estimated=True)
        for i, word in enumerate(words)
    )


async def spoken(
    parts: AsyncIterator[AnswerPart], synthesizer: Synthesizer, speed: float = 1.0
) -> AsyncGenerator[AnswerPart, None]:
    """A written answer with sound: each chunk of its text is spoken as soon as it is complete.

    Where a chunk ends is exact; words inside it are in proportion. Raises AnswerUnavailable.
    """
    chunker, made = Chunker(), 0
    async for part in parts:
        yield part
        if isinstance(part, AnswerChunk):
            for chunk in chunker.feed(part.text):
                async for sound in _said(chunk.text, made, synthesizer, speed):
                    made += 0 if sound.samples is None else len(sound.samples)
                    yield sound
    for chunk in chunker.flush():
        async for sound in _said(chunk.text, made, synthesizer, speed):
            made += 0 if sound.samples is None else len(sound.samples)
            yield sound


async def _said(
    text: str, start: int, synthesizer: Synthesizer, speed: float
) -> AsyncGenerator[AnswerChunk, None]:
    end = start
    async for samples in synthesizer.synthesize(text.strip(), speed):
        if len(samples):
            end += len(samples)
            yield AnswerChunk(samples=samples)
    if end == start:
        raise AnswerUnavailable("the synthesizer said nothing")
    yield AnswerChunk(words=estimated_words(text, start, end))
