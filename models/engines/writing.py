"""The words of one answer of nano, a token at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from models.base import AnswerOptions, FunctionCall
from models.engines.memory import PIECE, NanoMemory
from models.engines.networks import Networks
from models.engines.wording import NanoWording

Array = npt.NDArray[np.float32]


class NanoWriter:
    """Decodes one answer. `step` reads one token (the first: a piece of what opens the answer) and
    gives what it adds to the text; `done` once the answer has ended, `call` if it was a call,
    `ids` the tokens of either. `slow_down` is called if the answer begins with the wish for it."""

    def __init__(
        self,
        networks: Networks,
        memory: NanoMemory,
        options: AnswerOptions,
        slow_down: Callable[[], None] | None = None,
    ) -> None:
        self._memory, self._options = memory, options
        self._random = np.random.default_rng(options.seed)
        tools = memory.tools if options.tools is None else options.tools
        self._wording = NanoWording(networks.prompt, tools, options, slow_down)
        self._opening: list[int] | None = None
        self.done = False

    @property
    def ids(self) -> list[int]:
        return self._wording.ids

    @property
    def call(self) -> FunctionCall | None:
        return self._wording.call

    def step(self) -> str:
        """Raises OutOfRoom."""
        if self._opening is None:
            self._opening = [*self._memory.answer_ids(), *self._wording.forced]
        if self._opening:
            piece, self._opening = self._opening[:PIECE], self._opening[PIECE:]
            self._choose(self._memory.say(piece))
            return ""
        return self._read(self._next)

    def _read(self, token: int) -> str:
        """Take the token that was chosen; choose the next."""
        if self._wording.is_end(token):
            self.done = True
            self._memory.end_answer()
            return self._wording.end()
        text = self._wording.take(token)
        self._choose(self._memory.say([token]))
        return text

    def _choose(self, logits: Array) -> None:
        self._next = self._pick(_without(logits, self._wording.barred()))

    def _pick(self, scores: Array) -> int:
        if self._options.temperature <= 0:
            return int(scores.argmax())
        heated = (scores.astype(np.float64) - scores.max()) / self._options.temperature
        shares = np.exp(heated)
        return int(self._random.choice(len(shares), p=shares / shares.sum()))


def _without(logits: Array, barred: Sequence[int]) -> Array:
    scores = logits.copy()
    scores[list(barred)] = -np.inf
    return scores
