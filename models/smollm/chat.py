"""How SmolLM2 sees a conversation: its own chat form, and four tokens to which we gave a meaning.

    <|im_start|>system            instructions and the signatures of functions, where there are any
    <|im_start|>user              words <|im_end|>
    <|im_start|>assistant         answer <|im_end|>
    <|im_start|>tool              what a function gave back <|im_end|>

After the words of a user stands a verdict: <|im_end|> (a whole query), UNFINISHED, or NOISE (not
meant for the assistant); so reading the words is also judging them. CALL opens a function call,
"name {json}"; SLOW an answer that is to be spoken slowly. An answer that was cut ends in "...".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tokenizers import Tokenizer

from models.base import FunctionCall, Tool

START: Final = "<|im_start|>"
END: Final = "<|im_end|>"
NOISE: Final = "<empty_output>"
UNFINISHED: Final = "<jupyter_text>"
CALL: Final = "<jupyter_code>"
SLOW: Final = "<issue_comment>"
MARKERS: Final = (NOISE, UNFINISHED, CALL, SLOW)  # unused by the pretrained model; taught by us
FUNCTIONS: Final = "Functions:"
CUT: Final = "..."


def signature(tool: Tool) -> str:
    """A function with its arguments and their types: "book(title: string, pages: integer)"."""
    shown = (f"{name}: {_kind(schema)}" for name, schema in properties_of(tool).items())
    return f"{tool.name}({', '.join(shown)})"


def properties_of(tool: Tool) -> Mapping[str, Any]:
    """The arguments of a function, by name."""
    found = tool.parameters.get("properties")
    return found if isinstance(found, Mapping) else {}


def _kind(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if isinstance(schema.get("enum"), list):
        return "|".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return str(kind) if isinstance(kind, str) else "any"


class Chat:
    """Turns the parts of a conversation into token ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end, self.call, self.slow, self.noise, self.unfinished = (
            self._id(name) for name in (END, CALL, SLOW, NOISE, UNFINISHED)
        )
        self._special = tuple(
            token.content for token in tokenizer.get_added_tokens_decoder().values()
        )
        self._longest = max(map(len, tokenizer.get_vocab()))  # letters of one token
        self.start, self._line = self._id(START), self.encode("\n")

    @property
    def markers(self) -> tuple[int, ...]:
        """The ids of MARKERS."""
        return tuple(self._id(name) for name in MARKERS)

    def _id(self, name: str) -> int:
        found = self.tokenizer.token_to_id(name)
        if found is None:
            raise ValueError(f"the tokenizer lacks {name}")
        return int(found)

    def encode(self, text: str) -> list[int]:
        """Plain text; special tokens written in it are left out."""
        plain = self._plain(text)
        return [int(i) for i in self.tokenizer.encode(plain, add_special_tokens=False).ids]

    def cut(self, text: str, room: int) -> str:
        """The beginning of a text that takes `room` tokens; the text itself where it takes less."""
        plain = self._plain(text[: room * self._longest])
        encoded = self.tokenizer.encode(plain, add_special_tokens=False)
        if len(encoded.ids) > room:
            return plain[: encoded.offsets[room][0]]
        return text if len(text) <= room * self._longest else plain

    def _plain(self, text: str) -> str:
        """Without special tokens."""
        if "<" in text:
            while any(name in text for name in self._special):  # taking one out may join another
                for name in self._special:
                    text = text.replace(name, "")
        return text

    def decode(self, ids: Iterable[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def turn(self, role: str) -> list[int]:
        """Opens a turn of "system", "user", "assistant" or "tool"."""
        return [self.start, *self.encode(role), *self._line]

    def close(self) -> list[int]:
        """Ends a turn."""
        return [self.end, *self._line]

    def opening(self, instructions: str, signatures: Iterable[str]) -> list[int]:
        """What stands before the first turn; nothing where there is nothing to say."""
        functions = list(signatures)
        lines = [instructions] if instructions else []
        if functions:
            lines += [FUNCTIONS, *functions]
        if not lines:
            return []
        return [*self.turn("system"), *self.encode("\n".join(lines)), *self.close()]

    def parse_call(self, ids: Iterable[int]) -> tuple[str, str]:
        """Name and arguments in the tokens after CALL."""
        name, _, arguments = self.decode(ids).strip().partition(" ")
        return name, arguments or "{}"


def call_text(call: FunctionCall) -> str:
    """A call as it is written after CALL."""
    return f"{call.name} {call.arguments}"
