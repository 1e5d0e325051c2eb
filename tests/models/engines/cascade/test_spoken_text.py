"""tests: written text as it can be said, in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engines.cascade.event_stream import EventStream
from models.engines.cascade.spoken_text import SpokenText, spoken_text
from models.engines.cascade.thinking import ThoughtFilter

SAID = {
    "**Paris** is *the* capital. 😀 Yes!": "Paris is the capital. Yes!",
    "# Fruit\n\n- apples\n- pears\n\nThat is all.": "Fruit. apples. pears. That is all.",
    "First:\n1. Wash it\n2. Eat it": "First: Wash it. Eat it",
    "Run this:\n```python\nprint(1)\n```\nand look.": "Run this: and look.",
    "See [the docs](https://a.b/c?d=1), please.": "See the docs, please.",
    "It is at https://www.example.com/x/y?z today.": "It is at example.com today.",
    "It is 5 km away, 1 kg heavy, 25 °C warm.": (
        "It is 5 kilometres away, 1 kilogram heavy, 25 degrees Celsius warm."
    ),
    "That is 20% of $5, or €3.50, or $2 million.": (
        "That is 20 percent of 5 dollars, or 3.50 euros, or 2 million dollars."
    ),
    "3 * 4 = 12 and 5–10 people": "3 times 4 = 12 and 5 to 10 people",
    "| city | size |\n|---|---|\n| Rome | big |": "city size Rome big",
    "Use e.g. a pan, #1 of all.": "Use for example a pan, number 1 of all.",
    "天气很好，25°C，是吗？": "天气很好，25°C，是吗？",
    "I am 5 and he is 10 years old.": "I am 5 and he is 10 years old.",
    "a [b c": "a [b c",
    "": "",
}


@pytest.mark.parametrize(("text", "said"), SAID.items())
def test_text_as_it_is_said(text: str, said: str) -> None:
    assert " ".join(spoken_text(text).split()) == said


@given(st.sampled_from(sorted(SAID)), st.lists(st.integers(1, 9), min_size=1))
def test_pieces_do_not_matter(text: str, sizes: list[int]) -> None:
    stream, given_text, start, turn = SpokenText(), "", 0, 0
    while start < len(text):
        size = sizes[turn % len(sizes)]
        given_text += stream.feed(text[start : start + size])
        start, turn = start + size, turn + 1
    assert given_text + stream.end() == spoken_text(text)


@given(st.text())
def test_any_text_can_be_said(text: str) -> None:
    assert "**" not in spoken_text("**bold** " + text)[:6]
    assert "```" not in spoken_text(text)


def test_words_are_given_as_soon_as_they_are_sure() -> None:
    stream = SpokenText()
    assert stream.feed("It is a big ") == "It is a big "
    assert stream.feed("city of 5 ") == "city of "  # what follows may be a unit
    assert stream.feed("million people.") == "5 million "


EVENTS = b'data: {"a": 1}\n\n: a comment\n\nevent: x\r\ndata: {"b":\r\ndata: 2}\r\n\r\ndata: [DONE]'


@given(st.lists(st.integers(1, 40), min_size=1))
def test_events_in_any_portions(sizes: list[int]) -> None:
    stream, found, start, turn = EventStream(), list[str](), 0, 0
    while start < len(EVENTS):
        size = sizes[turn % len(sizes)]
        found += stream.feed(EVENTS[start : start + size])
        start, turn = start + size, turn + 1
    assert [*found, *stream.end()] == ['{"a": 1}', '{"b":\n2}', "[DONE]"]


THOUGHTS = "<think>Is 3 < 4?</think>\n\nYes, <b> it is. <reasoning>sure</reasoning>Bye <"


@given(st.lists(st.integers(1, 12), min_size=1))
def test_thoughts_are_left_out_in_any_portions(sizes: list[int]) -> None:
    thoughts, said, start, turn = ThoughtFilter(), "", 0, 0
    while start < len(THOUGHTS):
        size = sizes[turn % len(sizes)]
        said += thoughts.feed(THOUGHTS[start : start + size])
        start, turn = start + size, turn + 1
    assert said + thoughts.end() == "Yes, <b> it is. Bye <"
    assert thoughts.has_thought
