"""Full-Duplex-Bench's definitions, on tables and on its published examples' shape."""

from __future__ import annotations

import pytest

from benchmarks.takeover import Word, after, backchannel_take_over, take_over
from server.call.voiced import Span


def words(*starts: float, length: float = 0.2) -> list[Word]:
    return [Word("w", start, start + length) for start in starts]


@pytest.mark.parametrize(
    ("output", "since", "taken", "latency"),
    [
        ([], 0.0, False, None),
        (words(1.0, 1.3, 1.6), 0.5, False, None),  # three words in 0.8 s
        (words(1.0, 1.2, 1.4, 1.6), 0.5, True, 0.5),  # four words
        (words(1.0, 1.9), 0.5, True, 0.5),  # 1.1 s
        (words(1.0, 1.8), 0.5, True, 0.5),  # exactly one second
        (words(1.0, 2.0), 3.0, True, 0.0),  # began before the end: never negative
    ],
)
def test_take_over(output: list[Word], since: float, taken: bool, latency: float | None) -> None:
    found = take_over(output, since)
    assert found.taken is taken
    assert found.latency == (None if latency is None else pytest.approx(latency))


def test_the_output_before_an_interruption_ends_is_cropped() -> None:
    output = words(10.0, 11.0, 13.5, 14.6)
    assert take_over(after(output, 13.144), 13.144).latency == pytest.approx(0.356)


@pytest.mark.parametrize(
    ("segments", "output", "taken", "counted"),
    [
        ([], [], False, 0),
        ([Span(0, 0.5)], words(0.1), False, 1),
        ([Span(0, 0.5)], words(0.0, 0.2, 0.3), True, 1),  # three words are too many
        ([Span(0, 1.2)], words(0.1), True, 1),  # a second or more
        ([Span(0, 1.2), Span(3, 3.4)], words(0.1, 3.1), False, 2),  # as published: overwritten
        ([Span(0, 0.4), Span(1, 4.5)], words(0.1, 2.0), True, 1),  # over three seconds
    ],
)
def test_backchannels(segments: list[Span], output: list[Word], taken: bool, counted: int) -> None:
    assert backchannel_take_over(segments, output) == (taken, counted)
