"""From an answer's tokens to its text, or to the function call that it is. Pure."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Protocol

from models.base import AnswerOptions, FunctionCall, Tool
from models.vita.nano_prompt import CALL, END, SLOW, SPECIAL, NanoPrompt
from models.vita.prompt import CALL_CLOSE, CALL_OPEN, VitaPrompt, parse_call

logger = logging.getLogger(__name__)
_HALF = "\ufffd"  # what the tokenizer gives for a letter of which only some bytes are there


_VALUES = ("1", "true", '"a"', "[", "{")  # how a value may begin


class Wording(Protocol):
    """Takes an answer's tokens one by one.

    ids      of the text or the call so far
    forced   what `tool_choice` leaves no choice about: read before the first token
    ends     tokens of which each ends the answer
    call     what was called, once the answer has ended
    is_cut   the answer has ended because it may not be longer
    """

    ids: list[int]
    forced: list[int]
    call: FunctionCall | None
    is_cut: bool

    @property
    def ends(self) -> Sequence[int]: ...

    def barred(self) -> Sequence[int]:
        """Tokens that the next one must not be."""
        ...

    def is_end(self, token: int) -> bool: ...

    def take(self, token: int) -> str:
        """What a token adds to the text."""
        ...

    def end(self) -> str:
        """The rest of the text."""
        ...


class NanoWording:
    """`<call>` and `<slow>` may only come first; no other special token but the end is a part of an
    answer. `slow_down` is called if the answer begins with the wish for it."""

    def __init__(
        self,
        prompt: NanoPrompt,
        tools: tuple[Tool, ...],
        options: AnswerOptions,
        slow_down: Callable[[], None] | None = None,
    ) -> None:
        self._prompt, self._tools, self._most = prompt, tools, options.max_tokens
        self._may_call = bool(tools) and options.tool_choice != "none"
        self._slow_down = slow_down or (lambda: None)
        self._begun = self._calling = self.is_cut = False
        self._text = ""
        self.ids: list[int] = []
        self.call: FunctionCall | None = None
        self.forced = self._force(options.tool_choice)

    @property
    def ends(self) -> Sequence[int]:
        return (self._prompt.ids[END],)

    def barred(self) -> Sequence[int]:
        if self._calling and (going_on := self._call_going_on()):
            return [token for token in range(self._prompt.num_tokens) if token not in going_on]
        allowed = {END}
        if not self._begun:
            allowed |= {SLOW, CALL} if self._may_call else {SLOW}
        return [self._prompt.ids[name] for name in SPECIAL if name not in allowed]

    def _call_going_on(self) -> set[int]:
        """What may come next in the name of a declared function and of its first argument; nothing
        once both are complete."""
        so_far = self.ids
        if any(call == so_far[: len(call)] for call in self._calls):
            return set()
        begun = (call for call in self._calls if call[: len(so_far)] == so_far)
        return {call[len(so_far)] for call in begun}

    @cached_property
    def _calls(self) -> list[list[int]]:
        """How a call may begin: the name of a function, and of one of its arguments."""
        return [call for tool in self._tools for call in self._beginnings(tool)]

    def _beginnings(self, tool: Tool) -> Iterator[list[int]]:
        names = tool.parameters.get("properties", {})
        if not names:
            yield self._prompt.encode(tool.name)
        elif not tool.parameters.get("required"):
            yield self._prompt.encode(f"{tool.name} {{}}")
        for name in names:
            begun = f"{tool.name} {{{json.dumps(name, ensure_ascii=False)}: "
            tokens = zip(*(self._prompt.encode(begun + value) for value in _VALUES), strict=False)
            yield [first for first, *others in takewhile(lambda each: len(set(each)) == 1, tokens)]

    def is_end(self, token: int) -> bool:
        self.is_cut = token not in self.ends and len(self.ids) >= self._most
        return token in self.ends or self.is_cut

    def take(self, token: int) -> str:
        self._begun = True
        if token == self._prompt.ids[CALL]:
            self._calling = True
        elif token == self._prompt.ids[SLOW]:
            self._slow_down()
        else:
            self.ids.append(token)
        return self._grown()

    def end(self) -> str:
        if not self._calling:
            return self._grown(whole=True)
        self.call = known(self._prompt.parse_call(self.ids), self._tools)
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

    def _force(self, choice: str) -> list[int]:
        if not self._may_call or choice == "auto":
            return []
        self._begun = self._calling = True
        if choice != "required":
            self.ids = self._prompt.encode(choice)
        return [self._prompt.ids[CALL], *self.ids]


class VitaWording:
    """A call is text with markup round it."""

    def __init__(self, prompt: VitaPrompt, tools: tuple[Tool, ...], options: AnswerOptions) -> None:
        self._prompt, self._tools, self._most = prompt, tools, options.max_tokens
        self._may_call = bool(tools) and options.tool_choice != "none"
        self._given = 0  # letters of the text that have left
        self.is_cut = False
        self.call: FunctionCall | None = None
        self.forced = self._force(options.tool_choice)
        self.ids = list(self.forced)

    @property
    def ends(self) -> Sequence[int]:
        return sorted(self._prompt.ends)

    def barred(self) -> Sequence[int]:
        return ()

    def is_end(self, token: int) -> bool:
        self.is_cut = token not in self._prompt.ends and len(self.ids) >= self._most
        return token in self._prompt.ends or self.is_cut

    def take(self, token: int) -> str:
        self.ids.append(token)
        return self._grown(self._prompt.decode(self.ids).removesuffix(_HALF))

    def end(self) -> str:
        text = self._prompt.decode(self.ids)
        if not self._is_call(text):
            return self._grown(text, whole=True)
        self.call = known(parse_call(text.partition(CALL_CLOSE)[0]), self._tools)
        return ""

    def _grown(self, text: str, whole: bool = False) -> str:
        """What may leave now; the beginning waits while it could still become a call."""
        if self._may_call and not whole and CALL_OPEN.startswith(text.lstrip()[: len(CALL_OPEN)]):
            return ""
        if self._is_call(text):
            return ""
        added, self._given = text[self._given :], max(self._given, len(text))
        return added

    def _is_call(self, text: str) -> bool:
        return self._may_call and text.lstrip().startswith(CALL_OPEN)

    def _force(self, choice: str) -> list[int]:
        if not self._may_call or choice == "auto":
            return []
        named = choice in {tool.name for tool in self._tools}
        body = f'{{"name": "{choice}", "arguments": ' if named else '{"name": "'
        return self._prompt.markup(CALL_OPEN + body)


def known(call: FunctionCall | None, tools: tuple[Tool, ...]) -> FunctionCall | None:
    """The call, if it is one of a function that there is."""
    if call is not None and call.name in {tool.name for tool in tools}:
        return call
    logger.warning("the model called no function that there is")
    return None
