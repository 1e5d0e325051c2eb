"""How nano's language model sees a conversation: token ids, with places for sound and images.

One turn is `<user>`, then text or vectors, then a state token, the answer and `<end>`:

    <system> instructions   <tool> name(parameter, parameter)
    <user> [sound vectors] <1> answer <end>
    <user> [sound vectors] <spare1> a recogniser's words <1> answer <end>
    <user> [sound vectors] <spare2> what was said, written out <end>
    <user> typed words <3> answer <end>
    <user> [sound vectors] <1> words that were heard <cut> <end>
    <user> [sound vectors] <1> <slow> an answer to be spoken slowly <end>
    <user> [sound vectors] <1> <call> name {json} <end> <result> output <3> answer <end>

The state token follows the sound or the words directly, so the step after each is a verdict.
Nothing here needs torch: training and the engines share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from models.base import FunctionCall, Tool
from models.vita.function_choice import chosen, ranked
from models.vita.plain_text import PlainText
from models.vita.spoken_form import spoken_form

PAD: Final = "<pad>"
END: Final = "<end>"
QUERY: Final = "<1>"
NOISE: Final = "<2>"
TEXT: Final = "<3>"
UNFINISHED: Final = "<4>"
USER: Final = "<user>"
SYSTEM: Final = "<system>"
TOOL: Final = "<tool>"
CALL: Final = "<call>"
RESULT: Final = "<result>"
CUT: Final = "<cut>"
IMAGE: Final = "<image>"
SLOW: Final = "<slow>"
RECOGNISED: Final = "<spare1>"  # a recogniser's words for the sound before follow
DICTATION: Final = "<spare2>"  # what follows the sound is its words, not an answer
SPECIAL: Final = (
    PAD, END, QUERY, NOISE, TEXT, UNFINISHED, USER, SYSTEM, TOOL, CALL, RESULT, CUT, IMAGE, SLOW,
    RECOGNISED, DICTATION,
)  # fmt: skip
INSTRUCTION_TOKENS: Final = 48  # longer instructions are cut: nano cannot follow them anyway
RESULT_TOKENS: Final = 64
SHARE_OF_A_TEXT: Final = 4  # one text takes a fourth of a stream at most
RECOGNISED_TOKENS: Final = 96


def signature(tool: Tool) -> str:
    """A tool as nano reads it: "set_timer(minutes)"."""
    parameters = tool.parameters.get("properties", {})
    return f"{tool.name}({', '.join(parameters)})"


class NanoPrompt:
    """Turns the parts of a conversation into token ids."""

    def __init__(self, tokenizer: Tokenizer, capacity: int | None = None) -> None:
        """`capacity`: tokens of one stream; of long texts and many functions a part of it is shown.
        Raises ValueError for a tokenizer that lacks a special token."""
        self._tokenizer = tokenizer
        room = None if capacity is None else capacity // SHARE_OF_A_TEXT
        self._plain = PlainText(tokenizer, SPECIAL, room)
        self._tools_room = None if capacity is None else capacity // 4
        found = {name: tokenizer.token_to_id(name) for name in SPECIAL}
        self.ids = {name: number for name, number in found.items() if number is not None}
        missing = [name for name in SPECIAL if name not in self.ids]
        if missing:
            raise ValueError(f"the tokenizer lacks {', '.join(missing)}")
        self.states = tuple(self.ids[name] for name in (QUERY, NOISE, TEXT, UNFINISHED))

    @classmethod
    def read(cls, path: Path, capacity: int | None = None) -> NanoPrompt:
        """From a tokenizer.json."""
        return cls(Tokenizer.from_file(str(path)), capacity)

    def encode(self, text: str, room: int | None = None) -> list[int]:
        """Plain text, at most `room` tokens; special tokens written in it are not special."""
        return self._plain.encode(text, room)

    def cut(self, text: str, room: int | None = None) -> str:
        """The beginning of a text that `encode` reads."""
        return self._plain.cut(text, room)

    def num_fitting(self, tools: Iterable[Tool]) -> int:
        """How many of these functions, from the first on, can be shown. Each alone has to fit: a
        turn is shown those that it is about (see `shown`)."""
        sizes = map(len, self._functions(map(signature, tools)))
        room = self._tools_room
        return sum(1 for _ in takewhile(lambda size: room is None or size <= room, sizes))

    def shown(self, tools: Sequence[Tool], words: str = "") -> tuple[Tool, ...]:
        """The functions, in their order, that a turn of these words is shown: all, or as many of
        those that it may be about as there is room for."""
        room = self._tools_room
        sizes = [len(ids) for ids in self._functions(map(signature, tools))]
        if room is None or sum(sizes) <= room:
            return tuple(tools)
        return tuple(tools[place] for place in chosen(sizes, ranked(tools, words), room))

    def decode(self, ids: Iterable[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def opening(self, instructions: str = "", tools: Sequence[Tool] = ()) -> list[int]:
        """What stands before the first turn, with as many functions as there is room for."""
        return self.opening_of(instructions, map(signature, self.shown(tools)))

    def opening_of(self, instructions: str, signatures: Iterable[str]) -> list[int]:
        ids: list[int] = []
        if instructions:
            ids += [self.ids[SYSTEM], *self.encode(instructions, INSTRUCTION_TOKENS)]
        for function in self._functions(signatures):
            ids += function
        return ids

    def _functions(self, signatures: Iterable[str]) -> list[list[int]]:
        return [[self.ids[TOOL], *self.encode(text)] for text in signatures]

    def user(self) -> list[int]:
        """Opens a user's turn; sound vectors may follow."""
        return [self.ids[USER]]

    def typed(self, text: str) -> list[int]:
        """Typed words inside an open turn."""
        return self.encode(text)

    def recognised(self, text: str) -> list[int]:
        """What a recogniser made of the sound that stands before; no ids for no words."""
        ids = self.encode(spoken_form(text))[:RECOGNISED_TOKENS]
        return [self.ids[RECOGNISED], *ids] if ids else []

    def dictation(self) -> list[int]:
        """Asks for the words of the sound that stands before."""
        return [self.ids[DICTATION]]

    def image(self) -> list[int]:
        """Stands before the vectors of one image inside an open turn."""
        return [self.ids[IMAGE]]

    def state(self, spoken: bool) -> list[int]:
        """The state token with which an answer begins."""
        return [self.ids[QUERY if spoken else TEXT]]

    def answer(self, text: str, *, cut: bool = False, slow: bool = False) -> list[int]:
        """What the assistant said, after the state token; `slow`: what it is to say slowly."""
        before, behind = [self.ids[SLOW]] if slow else [], [self.ids[CUT]] if cut else []
        return [*before, *self.encode(text), *behind, self.ids[END]]

    def call(self, call: FunctionCall) -> list[int]:
        """A function call, after the state token."""
        return [self.ids[CALL], *self.encode(f"{call.name} {call.arguments}"), self.ids[END]]

    def result(self, output: str) -> list[int]:
        """A function's output; a `<3>` and an answer follow."""
        return [self.ids[RESULT], *self.encode(output, RESULT_TOKENS)]

    @property
    def num_tokens(self) -> int:
        return self._tokenizer.get_vocab_size()

    def parse_call(self, ids: Iterable[int]) -> FunctionCall | None:
        """The call in the tokens after `<call>`; None where they are no valid one."""
        name, _, arguments = self.decode(ids).strip().partition(" ")
        try:
            json.loads(arguments or "{}")
        except (json.JSONDecodeError, RecursionError):
            return None
        return FunctionCall(name, arguments or "{}") if name else None
