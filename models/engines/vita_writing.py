"""models.engines: the words of one answer of a VITA checkpoint, a token at a time."""

from __future__ import annotations

import logging

import numpy as np
from torch import Tensor

from models.base import AnswerOptions, FunctionCall, Tool
from models.engines.vita_memory import VitaMemory
from models.vita.prompt import CALL_CLOSE, CALL_OPEN, VitaPrompt, parse_call

logger = logging.getLogger(__name__)
_HALF = "\ufffd"  # what the tokenizer gives for a letter of which only some bytes are there


class VitaWriter:
    """Decodes one answer. `step` reads one token (the first: what opens the answer) and gives what
    it adds to the text; `done` once the answer has ended, `call` if it was a call."""

    def __init__(self, prompt: VitaPrompt, memory: VitaMemory, options: AnswerOptions) -> None:
        self._prompt, self._memory, self._options = prompt, memory, options
        self._random = np.random.default_rng(options.seed)
        self._tools: tuple[Tool, ...] = memory.tools if options.tools is None else options.tools
        self._ids: list[int] = []
        self._text = ""
        self._given = 0  # letters of the text that have left
        self._next: int | None = None
        self.done = False
        self.call: FunctionCall | None = None

    def step(self) -> str:
        """Raises OutOfRoom."""
        if self._next is None:
            forced = self._forced()
            self._ids = list(forced)
            self._next = self._pick(self._memory.say([*self._memory.answer_ids(), *forced]))
            return ""
        token = self._next
        if token in self._prompt.ends or len(self._ids) >= self._options.max_tokens:
            return self._end()
        self._ids.append(token)
        self._next = self._pick(self._memory.say([token]))
        return self._grown(self._prompt.decode(self._ids).removesuffix(_HALF))

    def _end(self) -> str:
        self.done = True
        self._memory.end_answer()
        text = self._prompt.decode(self._ids)
        if not self._calling(text):
            return self._grown(text, whole=True)
        self.call = parse_call(text.partition(CALL_CLOSE)[0])
        if self.call is None or self.call.name not in {tool.name for tool in self._tools}:
            logger.warning("the model called no function that there is")
            self.call = None
        return ""

    def _grown(self, text: str, whole: bool = False) -> str:
        """What may leave now; the beginning waits while it could still become a call."""
        if self._may_call and not whole and CALL_OPEN.startswith(text.lstrip()[: len(CALL_OPEN)]):
            return ""
        if self._calling(text):
            return ""
        added, self._given = text[self._given :], max(self._given, len(text))
        return added

    def _calling(self, text: str) -> bool:
        return self._may_call and text.lstrip().startswith(CALL_OPEN)

    def _pick(self, logits: Tensor) -> int:
        if self._options.temperature <= 0:
            return int(logits.argmax())
        heated = logits.double().cpu().numpy() / self._options.temperature
        shares = np.exp(heated - heated.max())
        return int(self._random.choice(len(shares), p=shares / shares.sum()))

    @property
    def _may_call(self) -> bool:
        return bool(self._tools) and self._options.tool_choice != "none"

    def _forced(self) -> list[int]:
        """The tokens that `tool_choice` leaves no choice about."""
        choice = self._options.tool_choice
        if not self._may_call or choice == "auto":
            return []
        names = {tool.name for tool in self._tools}
        body = f'{{"name": "{choice}", "arguments": ' if choice in names else '{"name": "'
        return self._prompt.markup(CALL_OPEN + body)
