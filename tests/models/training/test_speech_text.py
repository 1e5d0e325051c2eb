"""What the teacher reads: balanced, complete, and apart from what is held out."""

import re

import pytest

from models.training.speech_text import balanced, grammar_sentences, word_lists
from models.vita.letters import spell


def test_balance_takes_rare_words_before_the_hundredth_sum() -> None:
    sums = [f"{number} plus one." for number in "two three four five six seven".split() * 5]
    chosen = balanced([*sums, "a fox ran."], 4, seed=1)
    assert "a fox ran." in chosen and len(set(chosen)) == 4


@pytest.mark.parametrize("times", [1, 3])
def test_word_lists_have_every_word_as_often_as_asked(times: int) -> None:
    lists = word_lists(["the fox ran over the hill.", "it's late"], seed=2, times=times)
    words = sorted(re.findall(r"[a-z']+", " ".join(lists)))
    assert words == sorted(["the", "fox", "ran", "over", "hill", "it's", "late"] * times)


def test_grammar_is_seeded_and_can_be_spelled_as_it_stands() -> None:
    sentences = grammar_sentences(300, seed=3)
    assert sentences == grammar_sentences(300, seed=3)
    assert sentences != grammar_sentences(300, seed=4)
    assert all(spell(sentence).letters == sentence for sentence in sentences)
