"""The words of one answer, a token at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.base import AnswerOptions, FunctionCall
from models.engines.memory import PromptMemory
from models.engines.wording import Wording


class TokenWriter:
    """Decodes one answer. `step` reads one token (at first: a piece of what opens the answer) and
    gives what it adds to the text; `done` once the answer has ended, `call` if it was a call,
    `ids` the tokens of either. `told` is for this answer only."""

    def __init__(
        self, memory: PromptMemory, wording: Wording, options: AnswerOptions, told: str = ""
    ) -> None:
        self._memory, self._wording, self._options = memory, wording, options
        self._told = told
        self._random = np.random.default_rng(options.seed)
        self._opening: Iterator[None] | None = None
        self._next: int | None = None
        self.done = False

    @property
    def ids(self) -> list[int]:
        return self._wording.ids

    @property
    def call(self) -> FunctionCall | None:
        return self._wording.call

    @property
    def is_cut(self) -> bool:
        return self._wording.is_cut

    def step(self) -> str:
        """Raises OutOfRoom."""
        if self._next is None:
            self._open()
            return ""
        token = self._next
        if self._wording.is_end(token):
            self.done = True
            self._memory.end_answer()
            return self._wording.end()
        text = self._wording.take(token)
        self._memory.say(token)
        self._choose()
        return text

    def _open(self) -> None:
        """A piece of what opens the answer; behind the last the first token is chosen."""
        if self._opening is None:
            self._opening = self._memory.open_answer(self._told, self._wording.forced)
        next(self._opening, None)
        if self._memory.is_opened:
            self._choose()

    def _choose(self) -> None:
        self._next = self._memory.choose(
            self._options.temperature, self._random, self._wording.barred()
        )
