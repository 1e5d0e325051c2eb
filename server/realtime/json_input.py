"""JSON from outside, refused on the way in where it is too deep or too large.

What is let through here can be walked, echoed and written to a trace without further care.
"""

from __future__ import annotations

from typing import Any

import orjson

from server.realtime.refusal import Refusal

MAX_DEPTH = 64
# Values in one message: each takes memory of its own, many times what it takes on the wire, and an
# error of its own where it is wrong.
MAX_VALUES = 20_000
MAX_MARKS = 200_000  # commas, colons and brackets, those in texts too
_INVALID = "invalid_json"


def parse_object(text: str | bytes, what: str = "message") -> dict[str, Any]:
    """One JSON object. Raises Refusal."""
    _check_marks(text, what)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"The {what} is no JSON: {error}.", code=_INVALID) from None
    if not isinstance(value, dict):
        raise Refusal(f"The {what} is no JSON object.", code=_INVALID)
    if is_deeper(value, MAX_DEPTH):
        raise Refusal(f"The {what} is nested deeper than {MAX_DEPTH} levels.", code=_INVALID)
    if count_values(value) > MAX_VALUES:
        raise _too_many(what)
    return value


def count_values(value: Any) -> int:
    """The values inside of lists and objects, however deep; of what is neither, none."""
    count, nested = 0, [value] if isinstance(value, (dict, list)) else []
    while nested:
        count += sum(map(len, nested))
        nested = [inner for outer in nested for inner in _inside(outer)]
    return count


def _too_many(what: str) -> Refusal:
    return Refusal(f"The {what} holds more than {MAX_VALUES} values.", code=_INVALID)


def _check_marks(text: str | bytes, what: str) -> None:
    """A bound before anything is made: a value needs a comma, a colon or a bracket."""
    if isinstance(text, str):
        found = text.count(",") + text.count(":") + text.count("[")
    else:
        found = text.count(b",") + text.count(b":") + text.count(b"[")
    if found > MAX_MARKS:
        raise _too_many(what)


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested in more levels than that, counting `value` itself."""
    nested = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        if not nested:
            return False
        nested = [inner for outer in nested for inner in _inside(outer)]
    return bool(nested)


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value
    return [each for each in inner if isinstance(each, (dict, list))]
