"""Which of many functions a turn is about, by the words that they share.

A small model has no room for the signatures of a hundred functions. It is shown those that the
words of the turn fit best: words that few functions have count most (inverse document frequency).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from models.base import Tool

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+|[\u4e00-\u9fff]")
_STEM = 5  # letters of a word that count: "timers" is "timer"


def ranked(tools: Sequence[Tool], words: str) -> list[int]:
    """The places of the functions, the likeliest first; of equals the earlier first."""
    asked = _stems(words)
    known = [_stems(_said_of(tool)) for tool in tools]
    having = Counter(stem for stems in known for stem in stems)

    def score(place: int) -> float:
        shared = asked & known[place]
        return sum(math.log(1 + len(tools) / having[stem]) for stem in sorted(shared))

    return sorted(range(len(tools)), key=lambda place: (-score(place), place))


def chosen(sizes: Sequence[int], order: Iterable[int], room: int) -> list[int]:
    """The places, ascending, of as many functions as the room takes, in this order of preference.
    `sizes`: tokens of each; one for which there is no room any more is passed over."""
    found = list[int]()
    for place in order:
        if sizes[place] <= room:
            room -= sizes[place]
            found.append(place)
    return sorted(found)


def _said_of(tool: Tool) -> str:
    """All words of a function's declaration."""
    parameters = tool.parameters.get("properties", {})
    return f"{tool.name} {tool.description} {json.dumps(parameters, ensure_ascii=False)}"


def _stems(text: str) -> frozenset[str]:
    return frozenset(word.lower()[:_STEM] for word in _WORD.findall(text))
