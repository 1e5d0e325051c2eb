"""Tests of the name that an ignored segment gets, by its words as a recogniser writes them."""

from __future__ import annotations

import pytest

from duplex.actions import Reason
from duplex.barge_in import name_ignored
from models.base import Verdict


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Yeah!", Reason.IGNORED_BACKCHANNEL),
        ("Mm-hmm.", Reason.IGNORED_BACKCHANNEL),
        ("Oh, really?", Reason.IGNORED_BACKCHANNEL),
        ("嗯。", Reason.IGNORED_BACKCHANNEL),
        ("Anna, is dinner ready?", Reason.IGNORED_SIDE_TALK),
        ("...", Reason.IGNORED_NOISE),
        ("", Reason.IGNORED_NOISE),
    ],
)
def test_marks_and_capitals_make_no_difference(words: str, reason: Reason) -> None:
    assert name_ignored(Verdict(0.0, 1.0, words=words), over_answer=True) is reason
