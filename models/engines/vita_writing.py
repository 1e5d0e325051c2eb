"""The words of one answer of a VITA checkpoint, a token at a time."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from models.base import AnswerOptions, FunctionCall
from models.engines.vita_memory import VitaMemory
from models.engines.wording import VitaWording
from models.vita.prompt import VitaPrompt, describe


class VitaWriter:
    """Decodes one answer. `step` reads one token (the first: what opens the answer) and gives what
    it adds to the text; `done` once the answer has ended, `call` if it was a call."""

    def __init__(self, prompt: VitaPrompt, memory: VitaMemory, options: AnswerOptions) -> None:
        self._memory, self._options = memory, options
        tools = memory.tools if options.tools is None else options.tools
        self._wording = VitaWording(prompt, tools, options)
        self._told = options.instructions or ""
        if tools != memory.tools:
            self._told += describe(tools)
        self._random = np.random.default_rng(options.seed)
        self._next: int | None = None
        self.done = False

    @property
    def call(self) -> FunctionCall | None:
        return self._wording.call

    def step(self) -> str:
        """Raises OutOfRoom."""
        if self._next is None:
            opening = self._memory.answer_ids(self._told.strip())
            self._next = self._pick(self._memory.say([*opening, *self._wording.forced]))
            return ""
        token = self._next
        if self._wording.is_end(token):
            self.done = True
            self._memory.end_answer()
            return self._wording.end()
        self._next = self._pick(self._memory.say([token]))
        return self._wording.take(token)

    def _pick(self, logits: Tensor) -> int:
        if self._options.temperature <= 0:
            return int(logits.argmax())
        heated = logits.double().cpu().numpy() / self._options.temperature
        shares = np.exp(heated - heated.max())
        return int(self._random.choice(len(shares), p=shares / shares.sum()))
