"""Tests of what a recogniser wrote as nano reads it, and of letters that spell Chinese."""

from __future__ import annotations

import pytest

from models.training.pinyin import spelled
from models.training.skills.numbers import spell
from models.vita.pinyin_letters import looks_like_pinyin
from models.vita.spoken_form import number_words, spoken_form


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("What is the capital of Spain?", "what is the capital of spain"),
        ("What's 12 + 30?", "what's twelve plus thirty"),
        ("Music from the 1,920s", "music from the one thousand nine hundred twenty s"),
        ("That is 50%, isn't it?", "that is fifty percent isn't it"),
        ("Call 007 now", "call zero zero seven now"),
        ("it\u2019s  fine", "it's fine"),
        ("你好", ""),
        ("", ""),
    ],
)
def test_marks_and_capitals_are_gone_and_numbers_are_words(written: str, spoken: str) -> None:
    assert spoken_form(written) == spoken
    assert spoken_form(spoken) == spoken


@pytest.mark.parametrize("value", [0, 7, 13, 20, 42, 100, 305, 999, 1000, 9999])
def test_numbers_are_written_as_the_skills_write_them(value: int) -> None:
    assert number_words(str(value)) == spell(value)


def test_long_numbers_are_said_digit_by_digit() -> None:
    assert number_words("12345") == "one two three four five"


@pytest.mark.parametrize(
    "text", ["中国的首都是哪里", "三十五加二十七等于多少", "我想要一杯大杯的拿铁咖啡"]
)
def test_pinyin_is_told_from_english(text: str) -> None:
    assert looks_like_pinyin(spelled(text))


@pytest.mark.parametrize(
    "text", ["what is the capital of spain", "how do i get there", "tell me a story", "hello", ""]
)
def test_english_is_no_pinyin(text: str) -> None:
    assert not looks_like_pinyin(text)
