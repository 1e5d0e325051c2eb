"""Where answers are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vita.chunker import Chunker, Cuts, SpokenChunk, chunks_of

LONG = "word " * 60


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("Rome.", ["Rome."]),
        ("The capital of Italy is Rome.", ["The capital of Italy is", " Rome."]),
        ("Yes, of course. It is on now.", ["Yes, of course.", " It is on now."]),
        ("That is 3.5 and 1,000 more than", ["That is 3.5 and 1,000", " more than"]),
        ("法国的首都是巴黎。它很大。", ["法国的首都是巴黎。", "它很大。"]),
        ("你好，有什么可以帮您？", ["你好，有什么可以帮您？"]),
        ("从前有一只小狐狸住在森林的边上。", ["从前有一只小狐狸住在", "森林的边上。"]),
        ("", []),
        ("  \n", []),
    ],
)
def test_cuts(text: str, texts: list[str]) -> None:
    assert [chunk.text for chunk in chunks_of(text)] == texts


def test_only_a_full_stop_ends_the_sentence() -> None:
    first, second, third = chunks_of("Well, well, it is. On it")
    assert (first.inside, second.inside, third.inside) == (False, True, False)


def test_no_chunk_is_far_longer_than_the_limit() -> None:
    assert max(len(chunk.text) for chunk in chunks_of(LONG)) <= Cuts().most_letters + 6


@given(st.lists(st.text(" abc1.,!?\n你好，。", max_size=12), max_size=30))
def test_portions_do_not_matter_and_nothing_is_lost(portions: list[str]) -> None:
    chunker = Chunker()
    given_so_far: list[SpokenChunk] = []
    for portion in portions:
        given_so_far += chunker.feed(portion)
    given_so_far += chunker.flush()
    whole = "".join(portions)
    assert given_so_far == chunks_of(whole)
    joined = "".join(chunk.text for chunk in given_so_far)
    assert whole.startswith(joined) and not whole[len(joined) :].strip()
