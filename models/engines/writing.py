"""models.engines: the words of one answer of nano, a token at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.base import AnswerOptions, FunctionCall, Tool
from models.engines.memory import PIECE, Memory
from models.engines.networks import Networks
from models.vita.nano_prompt import CALL, END, SLOW, SPECIAL

logger = logging.getLogger(__name__)
Array = npt.NDArray[np.float32]
_HALF = "\ufffd"  # what the tokenizer gives for a letter of which only some bytes are there


class Writer:
    """Decodes one answer. `step` reads one token (the first: a piece of what opens the answer) and
    gives what it adds to the text; `done` once the answer has ended, `call` if it was a call,
    `ids` the tokens of either. `slow_down` is called if the answer begins with the wish for it."""

    def __init__(
        self,
        networks: Networks,
        memory: Memory,
        options: AnswerOptions,
        slow_down: Callable[[], None] = lambda: None,
    ) -> None:
        self._prompt, self._memory, self._options = networks.prompt, memory, options
        self._random = np.random.default_rng(options.seed)
        self._tools = _tools(memory, options)
        self._barred = self._bar(len(networks.table))
        self._opening: list[int] | None = None
        self.ids: list[int] = []
        self._text = ""
        self._calling = False
        self._slow_down, self._slow = slow_down, False
        self.done = False
        self.call: FunctionCall | None = None

    def step(self) -> str:
        """Raises OutOfRoom."""
        if self._opening is None:
            self._opening = [*self._memory.answer_ids(), *self._forced()]
        if self._opening:
            return self._open()
        return self._read(self._next)

    def _open(self) -> str:
        assert self._opening
        piece, self._opening = self._opening[:PIECE], self._opening[PIECE:]
        self._choose(self._memory.say(piece))
        return ""

    def _read(self, token: int) -> str:
        """Take the token that was chosen; choose the next."""
        if token == self._prompt.ids[END] or len(self.ids) >= self._options.max_tokens:
            return self._end()
        if token == self._prompt.ids[CALL]:
            self._calling = True
        elif token == self._prompt.ids[SLOW]:
            self._slow = True
            self._slow_down()
        else:
            self.ids.append(token)
        text = self._grown()
        self._choose(self._memory.say([token]))
        return text

    def _end(self) -> str:
        self.done = True
        self._memory.end_answer()
        if not self._calling:
            return self._grown(whole=True)
        self.call = self._prompt.parse_call(self.ids)
        if self.call is None or self.call.name not in {tool.name for tool in self._tools}:
            logger.warning("the model called no function that there is: %s", self.call)
            self.call = None
        return ""

    def _grown(self, whole: bool = False) -> str:
        """What the text has grown by; letters of which bytes are missing wait."""
        if self._calling:
            return ""
        text = self._prompt.decode(self.ids)
        if not whole:
            text = text.rstrip(_HALF)
        added, self._text = text[len(self._text) :], text
        return added

    def _choose(self, logits: Array) -> None:
        first = not (self.ids or self._calling or self._slow)
        scores = logits + self._barred
        for name, allowed in ((CALL, first and self._may_call), (SLOW, first)):
            if allowed:
                scores[self._prompt.ids[name]] = logits[self._prompt.ids[name]]
        self._next = self._pick(scores)

    def _pick(self, scores: Array) -> int:
        if self._options.temperature <= 0:
            return int(scores.argmax())
        heated = (scores.astype(np.float64) - scores.max()) / self._options.temperature
        shares = np.exp(heated)
        return int(self._random.choice(len(shares), p=shares / shares.sum()))

    @property
    def _may_call(self) -> bool:
        return bool(self._tools) and self._options.tool_choice != "none"

    def _forced(self) -> list[int]:
        """The tokens that `tool_choice` leaves no choice about."""
        choice = self._options.tool_choice
        if not self._may_call or choice == "auto":
            return []
        self._calling = True
        if choice != "required":
            self.ids = self._prompt.encode(choice)
        return [self._prompt.ids[CALL], *self.ids]

    def _bar(self, vocabulary: int) -> Array:
        """[vocabulary]: no special token but the end is a part of an answer, once it has begun."""
        barred = np.zeros(vocabulary, np.float32)
        for name in SPECIAL:
            if name != END:
                barred[self._prompt.ids[name]] = -np.inf
        return barred


def _tools(memory: Memory, options: AnswerOptions) -> tuple[Tool, ...]:
    return memory.tools if options.tools is None else options.tools
