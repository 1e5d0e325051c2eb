"""Where an answer is cut into spoken chunks: a short first one, then clauses and sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.vita.mandarin import HAN

_PAUSE = re.compile(r"[,;:.?!…—–，、；：。？！][\"'”’)）》]*$")
_STOP = re.compile(r"[.?!…。？！][\"'”’)）》]*$")
_WORD = re.compile(rf"[{HAN}][^\w\s]*(?=[\w\s])|[^\s{HAN}]+(?=[\s{HAN}])")
_CHARACTER = re.compile(f"[{HAN}]")
_LETTERS_PER_CHARACTER = 3  # in the time that it takes to say


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """What is spoken in one go. The texts of all chunks joined are the answer."""

    text: str
    inside: bool  # it goes on in the middle of a sentence


@dataclass(frozen=True, slots=True)
class Cuts:
    """How long spoken chunks are. Letters are those of the text as written, spaces included; a
    Chinese character counts as half a word and as three letters."""

    first_words: int = 5  # the first chunk ends here at the latest: sound must start at once
    clause_letters: int = 40  # a comma ends a chunk from here on
    most_letters: int = 100  # a chunk ends at the next space from here on


# VITA's speech decoder learnt from whole clauses: a cut inside one is only a way out.
VITA_CUTS = Cuts(first_words=9, clause_letters=40, most_letters=160)


class Chunker:
    """Takes an answer's text as it is generated and gives spoken chunks as soon as they end.

    A cut falls only between words, so "3.5" and "1,000" stay whole, or between characters.
    """

    def __init__(self, cuts: Cuts | None = None) -> None:
        self._cuts = cuts or Cuts()
        self._pending = ""
        self._inside = False
        self._given = 0

    def feed(self, text: str) -> list[SpokenChunk]:
        """Take more text; give the chunks that it completes."""
        self._pending += text
        chunks = []
        while (end := self._end()) is not None:
            chunks.append(self._take(end))
        return chunks

    def flush(self) -> list[SpokenChunk]:
        """The answer is over: give what is left. The next `feed` starts a new answer."""
        last = [self._take(len(self._pending))] if self._pending.strip() else []
        self._pending, self._inside, self._given = "", False, 0
        return last

    def _end(self) -> int | None:
        """Where the first chunk of the pending text ends; None while that is open."""
        count = 0.0
        for word in _WORD.finditer(self._pending):
            count += 0.5 if _CHARACTER.match(word.group()) else 1.0
            if self._ends_here(self._pending[: word.end()].lstrip(), count):
                return word.end()
        return None

    def _ends_here(self, text: str, words: float) -> bool:
        if self._given == 0:
            return words >= self._cuts.first_words or (words > 1 and bool(_PAUSE.search(text)))
        letters = len(text) + (_LETTERS_PER_CHARACTER - 1) * len(_CHARACTER.findall(text))
        if letters >= self._cuts.most_letters or _STOP.search(text):
            return True
        return letters >= self._cuts.clause_letters and bool(_PAUSE.search(text))

    def _take(self, end: int) -> SpokenChunk:
        chunk = SpokenChunk(self._pending[:end], self._inside)
        self._pending = self._pending[end:]
        self._given += 1
        self._inside = not _STOP.search(chunk.text)
        return chunk


def chunks_of(text: str, cuts: Cuts | None = None) -> list[SpokenChunk]:
    """The spoken chunks of a whole text."""
    chunker = Chunker(cuts)
    return chunker.feed(text) + chunker.flush()
