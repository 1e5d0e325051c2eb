"""The two views of a conversation."""

from __future__ import annotations

import pytest

from duplex.conversation import History, SpokenTurn, Turn, UnknownItem, heard_words, join_words
from models.base import AssistantText, SpokenWord

WORDS = tuple(SpokenWord(text, 100 * n, 100 * n + 100) for n, text in enumerate("a b c d".split()))


@pytest.mark.parametrize(("samples", "said"), [(0, ""), (49, ""), (50, "a"), (260, "a b c")])
def test_a_word_counts_once_half_of_it_was_played(samples: int, said: str) -> None:
    assert join_words(heard_words(WORDS, samples)) == said


def test_chinese_words_are_joined_without_spaces() -> None:
    words = [SpokenWord(text, 0, 1) for text in ("法国", "的", "首都")]
    assert join_words(words) == "法国的首都"


def answered() -> History:
    conversation = History()
    conversation.add_sound("u1", "hello")
    wire = {"type": "message", "content": [{"type": "output_audio", "transcript": ""}]}
    turn = Turn("a1", "assistant", (), wire, text="a b c d", words=WORDS, response_id=1)
    conversation.add(turn)
    return conversation


def test_a_cut_answer_is_known_as_heard_in_both_views() -> None:
    conversation = answered()
    whole = conversation.context()
    turn = conversation.cut("a1", 160)
    assert turn.to_wire()["content"] == [{"type": "output_audio", "transcript": "a b"}]
    cut = conversation.context()
    assert cut[-1].content == AssistantText("a b", cut=True)
    assert cut[-1].key != whole[-1].key and cut[0].key == whole[0].key


def test_of_the_running_answer_the_context_has_what_was_heard() -> None:
    conversation = answered()
    assert conversation.context(1, 160)[-1].content == AssistantText("a b", cut=True)
    assert conversation.context(1, 0)[-1].content == SpokenTurn("u1", "hello")
    assert len(conversation.context(1, 160, without=True)) == 1


def test_places() -> None:
    conversation = History()
    assert conversation.add(Turn("b", "user")) is None
    assert conversation.add(Turn("c", "user")) == "b"
    assert conversation.add(Turn("a", "user"), "root") is None
    assert conversation.add(Turn("bb", "user"), "b") == "b"
    assert [turn.item_id for turn in conversation.turns] == ["a", "b", "bb", "c"]
    with pytest.raises(UnknownItem):
        conversation.add(Turn("x", "user"), "nowhere")
