"""One reply of SmolLM2, a piece of the prompt or a token at a time, on its worker's thread."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from models.base import AnswerOptions, FunctionCall, Tool
from models.engines.cascade.language import ReplyEnd, ReplyPart
from models.engines.jobs import Priority
from models.engines.smollm.slots import PIECE, CacheSlot, ChatNetwork
from models.engines.wording import known
from models.smollm.chat import properties_of
from models.smollm.gguf import Array

URGENT_TOKENS = 6  # of a reply: what the voice needs to begin
LONGEST_PERIOD, REPEATS = 24, 3  # tokens of a loop, and how often it may come
_HALF = "\ufffd"  # what the tokenizer gives for a letter of which only some bytes are there


class ReplySteps:
    """Steps for a Worker: first the prompt from where it differs, then token by token.

    Only the first token may open a call. One of a function that there is not, or with arguments
    that do not fit it, is taken back, and the model answers in words instead.
    """

    def __init__(
        self,
        network: ChatNetwork,
        slot: CacheSlot,
        prompt: Sequence[int],
        options: AnswerOptions,
        tools: tuple[Tool, ...],
    ) -> None:
        self._network, self._slot, self._prompt = network, slot, list(prompt)
        self._options, self._tools = options, tools
        self._may_call = bool(tools) and options.tool_choice != "none"
        self._random = np.random.default_rng(options.seed)
        self._left = list(prompt[slot.keep(prompt) :])
        self._said: list[int] = []
        self._text = ""
        self._begun = self._calling = False
        self.done = False

    @property
    def priority(self) -> Priority:
        return Priority.FIRST if len(self._said) < URGENT_TOKENS else Priority.RUNNING

    def step(self) -> list[ReplyPart]:
        """Raises OutOfRoom."""
        if self._left:
            piece, self._left = self._left[:PIECE], self._left[PIECE:]
            self._scores = self._slot.read(self._network, piece)
            if not self._left:
                self._force()
            return []
        return self._take(self._pick())

    def _take(self, token: int) -> list[ReplyPart]:
        chat = self._network.chat
        is_over = len(self._said) >= self._options.max_tokens
        if token == chat.end or is_over or is_loop(self._said):
            return self._end("length" if is_over else "stop")
        self._begun = True
        if token == chat.call:
            self._calling = True
        elif token != chat.slow:
            self._said.append(token)
        self._scores = self._slot.read(self._network, [token])
        return [added] if not self._calling and (added := self._grown()) else []

    def _end(self, reason: str) -> list[ReplyPart]:
        if not self._calling:
            self.done = True
            rest = self._grown(whole=True)
            return [*([rest] if rest else []), ReplyEnd("length" if reason == "length" else "stop")]
        name, arguments = self._network.chat.parse_call(self._said)
        call = known(FunctionCall(name, arguments), self._tools)
        if call is not None and not fits(arguments, call.name, self._tools):
            call = None
        if call is None:
            self._say_it_instead()
            return []
        self.done = True
        return [call, ReplyEnd()]

    def _say_it_instead(self) -> None:
        self._begun = self._calling = self._may_call = False
        self._said = []
        self._left = self._prompt[self._slot.keep(self._prompt) :]

    def _force(self) -> None:
        """What `tool_choice` leaves no choice about."""
        choice = self._options.tool_choice
        if not self._may_call or choice == "auto":
            return
        chat = self._network.chat
        self._begun = self._calling = True
        named = choice in {tool.name for tool in self._tools}
        self._said = chat.encode(choice) if named else []
        self._scores = self._slot.read(self._network, [chat.call, *self._said])

    def _pick(self) -> int:
        scores = self._scores.copy()
        chat = self._network.chat
        barred = {chat.noise, chat.unfinished, chat.start, chat.call, chat.slow}
        if not self._begun:
            barred -= {chat.slow, chat.call} if self._may_call else {chat.slow}
        scores[list(barred)] = -np.inf
        return chosen(scores, self._options.temperature, self._random)

    def _grown(self, whole: bool = False) -> str:
        """What the text has grown by; letters of which bytes are missing wait."""
        text = self._network.chat.decode(self._said)
        if not whole:
            text = text.rstrip(_HALF)
        added, self._text = text[len(self._text) :], text
        return added


class ReadingSteps:
    """Steps that read a prompt; the scores after it are what they make."""

    def __init__(
        self, network: ChatNetwork, slot: CacheSlot, prompt: Sequence[int], priority: Priority
    ) -> None:
        self._network, self._slot = network, slot
        self._left = list(prompt[slot.keep(prompt) :])
        self.priority = priority

    @property
    def done(self) -> bool:
        return not self._left

    def step(self) -> list[Array]:
        """Raises OutOfRoom."""
        piece, self._left = self._left[:PIECE], self._left[PIECE:]
        scores = self._slot.read(self._network, piece)
        return [] if self._left else [scores.copy()]


def chosen(scores: Array, temperature: float, random: np.random.Generator) -> int:
    """The likeliest token, or at a temperature one drawn by its share."""
    if temperature <= 0:
        return int(scores.argmax())
    heated = (scores.astype(np.float64) - scores.max()) / temperature
    shares = np.exp(heated)
    return int(random.choice(len(shares), p=shares / shares.sum()))


def is_loop(ids: Sequence[int]) -> bool:
    """Do the last tokens only repeat what was said before them?"""
    for period in range(1, LONGEST_PERIOD + 1):
        span = period * REPEATS
        if span >= 8 and len(ids) >= span:
            last = list(ids[-span:])
            if last[period:] == last[:-period]:
                return True
    return False


def fits(arguments: str, name: str, tools: Sequence[Tool]) -> bool:
    """Are these a JSON object of arguments that the function names, all that it requires?"""
    try:
        given = json.loads(arguments)
    except json.JSONDecodeError:
        return False
    tool = next(tool for tool in tools if tool.name == name)
    required = tool.parameters.get("required")
    wanted = required if isinstance(required, list) else []
    if not isinstance(given, dict):
        return False
    return set(given) <= set(properties_of(tool)) and all(each in given for each in wanted)
