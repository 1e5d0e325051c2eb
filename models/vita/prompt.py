"""How VITA's released checkpoints see a conversation: templates, state tokens, function calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from models.base import AnswerOptions, FunctionCall, Tool
from models.vita.config import StateTokens
from models.vita.plain_text import PlainText
from models.vita.system_prompts import Sight, SystemPrompts, trained_prompts

CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class Template:
    """What stands around the turns. `ends` are tokens that end an answer."""

    begin: str
    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    states: tuple[str, str, str]  # query, noise, text
    ends: tuple[str, ...]


VITA_15 = Template(
    begin="",
    system=("<|im_start|>system\n", "<|im_end|>\n"),
    user=("<|im_start|>user\n", "<|im_end|>\n"),
    assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
    states=("☞", "☟", "☜"),
    ends=("<|im_end|>", "<|im_start|>", "<|endoftext|>"),
)
VITA_10 = Template(
    begin="<s>",
    system=("system:", "</s>"),
    user=("\nuser:", "</s>"),
    assistant=("\nbot:", "</s>"),
    states=("<1>", "<2>", "<3>"),
    ends=("</s>",),
)
TEMPLATES = {"vita-1.5": VITA_15, "vita-1.0": VITA_10}


@dataclass(frozen=True, slots=True)
class StateSpelling:
    """The state tokens as ids: what they have in common, then where they differ."""

    shared: tuple[int, ...]
    states: StateTokens
    rests: dict[int, tuple[int, ...]] = field(default_factory=dict)  # what follows each

    def whole(self, state: int) -> list[int]:
        return [*self.shared, state, *self.rests.get(state, ())]


def spell_states(spellings: Sequence[Sequence[int]]) -> StateSpelling:
    """From the ids of query, noise and text. Raises ValueError if they cannot be told apart at one
    token."""
    depth = 0
    while all(len(s) > depth for s in spellings) and len({s[depth] for s in spellings}) == 1:
        depth += 1
    if any(len(s) <= depth for s in spellings) or len({s[depth] for s in spellings}) < 3:
        raise ValueError("the tokenizer does not tell the three state tokens apart")
    query, noise, text = (s[depth] for s in spellings)
    rests = {s[depth]: tuple(s[depth + 1 :]) for s in spellings}
    return StateSpelling(tuple(spellings[0][:depth]), StateTokens(query, noise, text), rests)


class VitaPrompt:
    """Turns the parts of a conversation into token ids, by one of the released templates."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: Template,
        prompts: SystemPrompts | None = None,
        capacity: int | None = None,
    ) -> None:
        """`prompts`: the operator's, in place of those of the release. `capacity`: tokens of one
        stream; long texts and lists of tools are cut to a part of it. Raises ValueError for a
        tokenizer that does not fit the template."""
        self._tokenizer, self.template = tokenizer, template
        self._prompts = prompts or trained_prompts()
        special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self._plain = PlainText(tokenizer, special, None if capacity is None else capacity // 2)
        # Tokens of the client's instructions, of the functions, and of the whole first turn.
        self._part = None if capacity is None else capacity // 4
        self._first_turn = None if capacity is None else capacity * 3 // 4
        known = [tokenizer.token_to_id(name) for name in template.ends]
        if known[0] is None:
            raise ValueError(f"the tokenizer has no {template.ends[0]}, which ends an answer")
        self.ends = frozenset(number for number in known if number is not None)
        self.spelling = spell_states([self.markup(state) for state in template.states])

    @classmethod
    def read(
        cls,
        path: Path,
        template: Template,
        prompts: SystemPrompts | None = None,
        capacity: int | None = None,
    ) -> VitaPrompt:
        """From a tokenizer.json. Raises ValueError where it does not fit the template."""
        return cls(Tokenizer.from_file(str(path)), template, prompts, capacity)

    @property
    def states(self) -> StateTokens:
        return self.spelling.states

    def markup(self, text: str) -> list[int]:
        """Text of our own, in which special tokens are meant."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode(self, text: str) -> list[int]:
        """Somebody's words; markup written in them is taken out, so that it stays words."""
        return self._plain.encode(text)

    def cut(self, text: str) -> str:
        """The beginning of a text that `encode` reads."""
        return self._plain.cut(text)

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """How many of these functions `opening` has room for."""
        return len(self._described(tools))

    def decode(self, ids: Iterable[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def opening(
        self, instructions: str = "", tools: Sequence[Tool] = (), sight: Sight = "none"
    ) -> list[int]:
        """What stands before the first turn: the model's own system prompt for what is seen, the
        client's instructions behind it, then the functions."""
        told = self._plain.cut(f"\n{instructions}", self._part) if instructions else ""
        text = self._prompts.of(sight) + told + _functions(self._described(tools))
        return [*self.markup(self.template.begin), *self.system(text, self._first_turn)]

    def system(self, text: str, room: int | None = None) -> list[int]:
        """A system turn; its text has at most `room` tokens (None: as many as any other)."""
        before, behind = (self.markup(markup) for markup in self.template.system)
        return [*before, *self._plain.encode(text, room), *behind]

    def _described(self, tools: Sequence[Tool]) -> list[str]:
        """One line for each function, as many as there is room for."""
        lines: list[str] = []
        left = self._part
        for tool in tools:
            line = _described(tool)
            if left is not None:
                left -= len(self._plain.encode(line, left + 1))
                if left < 0:
                    break
            lines.append(line)
        return lines

    def user(self) -> list[int]:
        """Opens a user's turn; words, sound and images follow."""
        return self.markup(self.template.user[0])

    def closing(self) -> list[int]:
        """Closes the user's turn and opens the assistant's, up to where the states differ."""
        text = self.template.user[1] + self.template.assistant[0]
        return [*self.markup(text), *self.spelling.shared]

    def closing_told(self, text: str) -> list[int]:
        """`closing` with a system turn in between: for the answer that follows."""
        template = self.template
        before = self.markup(template.user[1] + template.system[0])
        after = self.markup(template.system[1] + template.assistant[0])
        return [*before, *self.encode(text), *after, *self.spelling.shared]

    def state(self, spoken: bool) -> list[int]:
        """The state token of an answer, after `closing`."""
        state = self.states.query if spoken else self.states.text
        return self.spelling.whole(state)[len(self.spelling.shared) :]

    def ending(self) -> list[int]:
        """Closes an answer."""
        return self.markup(self.template.assistant[1])

    def call(self, call: FunctionCall) -> list[int]:
        body = json.dumps({"name": call.name, "arguments": _arguments(call.arguments)})
        return [*self.markup(CALL_OPEN), *self.encode(body), *self.markup(CALL_CLOSE)]

    def result(self, output: str) -> list[int]:
        """A function's output, inside a user's turn."""
        return self.encode(f"<tool_response>{output}</tool_response>")


def _arguments(text: str) -> Any:
    """The value of a call's arguments; the text itself where a client gave no JSON."""
    try:
        return json.loads(text or "{}")
    except (json.JSONDecodeError, RecursionError):
        return text


def describe(tools: Sequence[Tool]) -> str:
    """The functions that may be called, as Qwen2.5 has learnt to read them."""
    return _functions([_described(tool) for tool in tools])


def _functions(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    how = f'{CALL_OPEN}{{"name": ..., "arguments": ...}}{CALL_CLOSE}'
    return "\n\nFunctions:\n" + "\n".join(lines) + f"\nTo call one, answer only: {how}"


def _described(tool: Tool) -> str:
    about = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps(about)


def told_for_one_answer(options: AnswerOptions, tools: Sequence[Tool]) -> str:
    """What an answer's own options say to the model, where the conversation has `tools`."""
    told = options.instructions or ""
    if options.tools is not None and options.tools != tuple(tools):
        told += describe(options.tools)
    return told.strip()


def parse_call(text: str) -> FunctionCall | None:
    """The call that an answer is; None where it is none, or no valid one."""
    body = text.strip().removeprefix(CALL_OPEN).removesuffix(CALL_CLOSE).strip()
    try:
        call = json.loads(body)
        return FunctionCall(str(call["name"]), json.dumps(call.get("arguments", {})))
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return None
