"""One spoken chunk while it is being said: which code comes next, which letter it says, the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import SpokenWord
from models.vita.code_stream import SAMPLES_PER_CODE
from models.vita.letters import Spelling

CODES = 1024
BOS, START, END, PADDING = 1024, 1025, 1026, 1027
_SILENT = " ,.?!"
_REACH = 6  # letters that the aligner may go on at once
_MOST_STILL = 20  # codes on one letter: the decoder is lost there
_MOST_SILENT = 9  # codes on the pause behind the last word: the decoder forgot to end
_SLACK = 2  # letters that the aligner may lack when the decoder ends
_CODES_PER_LETTER = 8.0
_SPARE = 40  # codes, beyond that


@dataclass(frozen=True, slots=True)
class CodeChoice:
    """How the next code is drawn. `top_k` 1 is the likeliest, which is understood less well (see
    nano's model card)."""

    top_k: int = 2
    temperature: float = 0.7
    seed: int = 0


class SpokenChunkDecoder:
    """Feed START to the decoder, then each code that `take` gives, until it gives None.

    The aligner's place only goes forward, so every code belongs to one letter and every letter to
    one word. A chunk ends at END, which does not count before the last letters, and at the latest
    when it stays far too long on a letter or is far too long for its text.
    """

    def __init__(self, spelling: Spelling, choice: CodeChoice | None = None) -> None:
        self.spelling = spelling
        self.codes: list[int] = []
        self.places: list[int] = []  # the letter of each code
        self._choice = choice or CodeChoice()
        self._random = np.random.default_rng(self._choice.seed)
        self._still = 0
        self._ended = False

    @property
    def place(self) -> int:
        """The letter that is being said."""
        return self.places[-1] if self.places else 0

    @property
    def complete(self) -> bool:
        """It ended by END, and not before its last letters."""
        return self._ended and self._spoken

    @property
    def _spoken(self) -> bool:
        """Has the aligner come to the last letters?"""
        last = len(self.spelling.letters.rstrip(_SILENT)) - 1
        return self.place >= last - _SLACK + 1

    def take(self, logits: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]) -> int | None:
        """logits [CODES + 4]; the aligner's weights over [bos, letters..., codes...]."""
        code = self._drawn(logits)
        self._ended = code == END
        if self._ended or self._overlong():
            return None
        place = self._advanced(weights[1 : 1 + len(self.spelling.letters)])
        self._still = self._still + 1 if self.places and place == self.place else 0
        if self._still > (_MOST_SILENT if self._behind(place) else _MOST_STILL):
            self._ended = self._behind(place)
            return None
        self.codes.append(code)
        self.places.append(place)
        return code

    def _drawn(self, logits: npt.NDArray[np.float32]) -> int:
        scores = logits.astype(np.float64)
        scores[[BOS, START, PADDING]] = -np.inf
        if not self.codes or not self._spoken:
            scores[END] = -np.inf
        best = np.argsort(scores)[-self._choice.top_k :]
        if len(best) == 1:
            return int(best[0])
        chances = np.exp((scores[best] - scores[best].max()) / self._choice.temperature)
        return int(self._random.choice(best, p=chances / chances.sum()))

    def _behind(self, place: int) -> bool:
        return place >= len(self.spelling.letters.rstrip(_SILENT))

    def _overlong(self) -> bool:
        return len(self.codes) >= _CODES_PER_LETTER * len(self.spelling.letters) + _SPARE

    def _advanced(self, weights: npt.NDArray[np.float32]) -> int:
        ahead = weights[self.place : self.place + 1 + _REACH]
        return self.place + int(ahead.argmax())

    def words(self, before: int = 0) -> tuple[SpokenWord, ...]:
        """The words up to the one being said, in order; after END all of them. `before`: codes of
        the answer before this chunk. A word that the aligner leapt over has no length. The last
        one's end is not final while the chunk goes on."""
        spans = self._spans()
        owners = self.spelling.owner
        count = len(self.spelling.words) if self._ended else owners[self.place] + 1
        words, at = [], len(self.codes)
        for word in reversed(range(count)):
            at, end = spans.get(word, (at, at))
            start, stop = ((before + code) * SAMPLES_PER_CODE for code in (at, end))
            words.append(SpokenWord(self.spelling.words[word], start, stop))
        return tuple(reversed(words))

    def _spans(self) -> dict[int, tuple[int, int]]:
        """First code and the code after the last one, of each word that was said."""
        spans: dict[int, tuple[int, int]] = {}
        for code, place in enumerate(self.places):
            if self.spelling.letters[place] not in _SILENT:
                word = self.spelling.owner[place]
                spans[word] = spans.get(word, (code, code))[0], code + 1
        return spans
