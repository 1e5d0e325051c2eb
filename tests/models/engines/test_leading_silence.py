"""What nobody hears at the head of an answer is dropped, and words stay with their sound."""

from __future__ import annotations

import numpy as np
import pytest

from models.base import SPEAK_RATE, SpokenWord
from models.engines.leading_silence import KEPT, MOST, LeadingSilenceTrimmer

SOFT = np.full(2400, 0.001, np.float32)
LOUD = np.full(2400, 0.1, np.float32)


@pytest.mark.parametrize("size", [100, 1000, 4800, 9600])
def test_the_head_goes_in_whatever_pieces_it_comes(size: int) -> None:
    sound = np.concatenate((SOFT, LOUD, SOFT, LOUD))
    head = LeadingSilenceTrimmer()
    heard = np.concatenate([head.cut(sound[at : at + size]) for at in range(0, len(sound), size)])
    dropped = head.dropped
    assert np.array_equal(heard, sound[dropped:])
    assert len(SOFT) - KEPT <= dropped <= len(SOFT)  # a piece's edge may take what is kept
    word = head.moved(SpokenWord("one", 2400, 4800))
    assert (word.start, word.end) == (2400 - dropped, 4800 - dropped)
    assert head.moved(SpokenWord("early", 0, 100)).end == 0


def test_an_answer_that_begins_at_once_stays_whole() -> None:
    head = LeadingSilenceTrimmer()
    assert np.array_equal(head.cut(LOUD), LOUD)
    assert np.array_equal(head.cut(SOFT), SOFT)


def test_a_long_silence_is_meant() -> None:
    head = LeadingSilenceTrimmer()
    silence = np.zeros(SPEAK_RATE, np.float32)
    assert len(head.cut(silence)) == SPEAK_RATE - MOST
