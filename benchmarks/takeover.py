"""Full-Duplex-Bench's own definitions of taking the floor.

Source: arXiv 2503.04721 and the scorer published with it (version 1.0). Words come from word times
where there are any; a recording without them counts as one word for each third of a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.call.voiced import Span

_SHORT = 1.0  # seconds
_FEW = 3  # words
_LONG_BACKCHANNEL = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the output and where it sounds, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Whether the floor was taken and, if so, how long after `since` (negative counts as 0)."""

    taken: bool
    latency: float | None = None


def take_over(words: list[Word], since: float = 0.0) -> TakeOver:
    """No words: not taken. Under one second and at most three words: not taken either."""
    if not words:
        return TakeOver(False)
    seconds = words[-1].end - words[0].start
    if seconds < _SHORT and len(words) <= _FEW:
        return TakeOver(False)
    return TakeOver(True, max(0.0, words[0].start - since))


def after(words: list[Word], moment: float) -> list[Word]:
    """The words that begin after a moment, as the output is cropped at an interruption's end."""
    return [word for word in words if word.start >= moment]


def backchannel_take_over(segments: list[Span], words: list[Word]) -> tuple[bool, int]:
    """Whether listening turned into talking, and the number of segments counted as backchannels.

    As published, a later short segment overwrites the verdict of an earlier one, and a segment of
    over three seconds ends the search.
    """
    taken, counted = False, 0
    for segment in segments:
        if segment.seconds > _LONG_BACKCHANNEL:
            return True, counted
        inside = [w for w in words if w.start <= segment.end and w.end > segment.start]
        taken = len(inside) > _FEW or segment.seconds >= _SHORT or len(inside) > 2
        counted += 1
    return taken, counted
