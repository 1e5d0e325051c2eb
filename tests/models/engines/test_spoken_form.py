"""What VITA's speech decoder reads of an answer, and where its chunks end."""

from __future__ import annotations

import pytest

from models.engines.vita_speaking import spoken_form
from models.vita.chunker import VITA_CUTS, chunks_of


@pytest.mark.parametrize(
    ("text", "is_first", "form"),
    [
        ("Well, it is 1,000 km,", True, "well. it is 1,000 km."),
        (" How are you?", False, " how are you?"),
        ("how are you? ", False, "how are you?"),
        (" **Paris** is `big`, yes", False, " paris is big, yes"),
        ("好的，我来了", True, "好的。我来了"),
        ("# ", True, ""),
    ],
)
def test_the_form(text: str, is_first: bool, form: str) -> None:
    assert spoken_form(text, is_first=is_first) == form


def test_chunks_end_at_punctuation_while_there_is_any() -> None:
    text = "It is the capital of France, and it has two million people. It lies on the Seine."
    chunks = [chunk.text for chunk in chunks_of(text, VITA_CUTS)]
    assert chunks == [
        "It is the capital of France,",
        " and it has two million people.",
        " It lies on the Seine.",
    ]
    endless = "one two three four five six seven eight nine ten eleven"
    assert chunks_of(endless, VITA_CUTS)[0].text == "one two three four five six seven eight nine"
