"""The chunks of a streamed chat completion become parts of a reply. Pure.

Source: the OpenAI API reference, "The chat completion chunk object". Beside it: whole calls without
an index, arguments as objects, reasoning in `reasoning_content` or `reasoning`, and whole
completions although a stream was asked for, as some servers send them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

from models.base import FunctionCall
from models.engines.cascade.health import ReplyFailed
from models.engines.cascade.language import ReplyEnd, ReplyPart
from models.engines.cascade.thinking import ThoughtFilter

LONGEST_REPLY = 200_000  # letters
LONGEST_ARGUMENTS = 65_536  # letters of one call
MOST_CALLS = 16
_ENDS = {"length": "length", "content_filter": "filtered"}


@dataclass(slots=True)
class _Call:
    name: str = ""
    arguments: str = ""


class DeltaReader:
    """Reads one streamed completion, chunk by chunk. `is_over`: its reply has ended."""

    def __init__(self) -> None:
        self.is_over = False
        self.has_read = False  # it was given a chunk
        self.has_thought = False  # it gave reasoning
        self.has_said = False  # it gave text or a call
        self._thoughts = ThoughtFilter()
        self._calls: dict[int, _Call] = {}
        self._size = 0
        self._end: ReplyEnd = ReplyEnd()

    def read(self, data: str) -> list[ReplyPart]:
        """One event's data. Raises ReplyFailed for an error that it reports, and for rubbish."""
        if data.strip() == "[DONE]":
            self.is_over = True
            return []
        try:
            content = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise rubbish(f"an event is no JSON: {data[:200]}") from error
        return self.read_object(content)

    def read_object(self, content: Any) -> list[ReplyPart]:
        """One chunk, or a whole completion. Raises ReplyFailed."""
        if not isinstance(content, dict):
            raise rubbish(f"an event is no object: {content!r:.200}")
        if content.get("error"):
            detail = f"{content['error']!r:.300}"
            raise ReplyFailed("broken", "the language model reported an error", detail)
        choices = content.get("choices")
        if not isinstance(choices, list):
            raise rubbish(f"an event has no choices: {content!r:.200}")
        self.has_read = True
        for choice in choices[:1]:
            if isinstance(choice, dict):
                return self._read_choice(choice)
        return []  # usage, at the end

    def end(self) -> list[ReplyPart]:
        """The stream is over: the rest of the text, the calls, and the end."""
        parts: list[ReplyPart] = [text] if (text := self._thoughts.end()) else []
        self.has_thought = self.has_thought or self._thoughts.has_thought
        calls = [FunctionCall(c.name, c.arguments or "{}") for c in self._calls.values() if c.name]
        self.has_said = self.has_said or bool(parts) or bool(calls)
        return [*parts, *calls, self._end]

    def _read_choice(self, choice: dict[str, Any]) -> list[ReplyPart]:
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise rubbish(f"a delta is no object: {delta!r:.200}")
        if delta.get("reasoning_content") or delta.get("reasoning"):
            self.has_thought = True
        for call in delta.get("tool_calls") or ():
            self._read_call(call)
        if reason := choice.get("finish_reason"):
            self.is_over = True
            self._end = ReplyEnd(_ENDS.get(reason, "stop"))  # type: ignore[arg-type]
        text = self._thoughts.feed(_text_of(delta.get("content")))
        self._size += len(text)
        if self._size > LONGEST_REPLY:
            raise rubbish(f"a reply has more than {LONGEST_REPLY} letters")
        self.has_said = self.has_said or bool(text)
        return [text] if text else []

    def _read_call(self, call: Any) -> None:
        """A call, or a piece of one: the first has its name, later ones more of its arguments."""
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise rubbish(f"a call has no function: {call!r:.200}")
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        index = call.get("index")
        if not isinstance(index, int):  # whole calls
            index = len(self._calls) if name else max(self._calls, default=0)
        known = self._calls.setdefault(index, _Call())
        known.name = known.name or str(name)
        known.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if len(known.arguments) > LONGEST_ARGUMENTS or len(self._calls) > MOST_CALLS:
            raise rubbish("a call is too long, or there are too many")


def rubbish(detail: str) -> ReplyFailed:
    """The failure of an address that answers something else than a chat completion."""
    return ReplyFailed("rubbish", "the language model's answer cannot be read", detail)


def _text_of(content: Any) -> str:
    """The text of a delta's content, which may be parts."""
    if isinstance(content, list):
        return "".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
    return content if isinstance(content, str) else ""
