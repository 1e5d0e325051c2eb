"""Spelling of what is spoken."""

import pytest

from models.vita.letters import LETTERS, number_words, spell


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("27 plus 4 is 31.", "twenty seven plus four is thirty one."),
        ("Hello — world: (yes), 1,000,000 people", "hello, world, yes, one million people"),
        ("It's -3.5°!", "it's minus three point five degrees!"),
        ("C-A-T, cat.", "c a t, cat."),
        ("Zürich’s 50% “ok”", "zurich's fifty percent ok"),
        ("At 9:30, Oslo.", "at nine thirty, oslo."),
        ("... — !", ""),
        ("Только", ""),
        ("", ""),
    ],
)
def test_spells(text: str, letters: str) -> None:
    spelling = spell(text)
    assert spelling.letters == letters
    assert "".join(LETTERS[index] for index in spelling.ids) == letters


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0", "zero"),
        ("13", "thirteen"),
        ("80", "eighty"),
        ("105", "one hundred five"),
        ("2,026", "two thousand twenty six"),
        ("-1.05", "minus one point zero five"),
        ("007", "zero zero seven"),
    ],
)
def test_says_numbers(number: str, words: str) -> None:
    assert number_words(number) == words


def test_every_letter_belongs_to_a_written_word() -> None:
    spelling = spell("The 27 dogs, ran.", inside=True)
    said: dict[int, str] = {}
    for letter, owner in zip(spelling.letters, spelling.owner, strict=True):
        said[owner] = said.get(owner, "") + letter
    assert [spelling.words[owner] for owner in said] == ["The", "27", "dogs,", "ran."]
    assert list(said.values()) == [" the", " twenty seven", " dogs,", " ran."]
