"""Words kept against words heard."""

from __future__ import annotations

import pytest

from benchmarks.history_check import HistoryCut, outcome, transcript


@pytest.mark.parametrize(
    ("kept", "heard", "within", "difference"),
    [
        ("one two three", "one two three", True, 0),
        ("one two", "one two three", True, -1),
        ("one two three four", "one two three", True, 1),
        ("one", "one two three", False, -2),
        ("one four", "one two", False, 0),  # other words
        ("", "", True, 0),
    ],
)
def test_outcome(kept: str, heard: str, within: bool, difference: int) -> None:
    cut = HistoryCut("q", "plain", 1000, tuple(kept.split()))
    found = outcome(cut, tuple(heard.split()))
    assert found["within_one_word"] is within
    assert found["difference"] == difference


def test_transcript_of_an_item() -> None:
    item = {"content": [{"type": "output_audio", "transcript": "a young  fox"}]}
    assert transcript(item) == ("a", "young", "fox")
    assert transcript({"content": [{"type": "output_audio", "transcript": None}]}) == ()
