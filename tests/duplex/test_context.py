"""What a stream must do to agree with the journal, as a table."""

from __future__ import annotations

import pytest

from duplex.context import Plan, StreamContext, last_turns
from duplex.conversation import Heard, Note
from models.base import AssistantText, Mark

Q1, A1, Q2 = (
    Note("q1", Heard("q1")),
    Note("a1/whole/yes", AssistantText("yes")),
    Note("q2", Heard("q2")),
)
A1_CUT = Note("a1/cut/y", AssistantText("y", cut=True))


def knowing(*notes: Note) -> StreamContext:
    context = StreamContext()
    for place, note in enumerate(notes):
        context.note(note.key, Mark(place))
    return context


@pytest.mark.parametrize(
    ("known", "journal", "plan"),
    [
        ([], [], Plan(None, ())),
        ([], [Q1], Plan(None, (Q1,))),
        ([Q1], [Q1, A1], Plan(None, (A1,))),
        ([Q1, A1], [Q1, A1_CUT], Plan(Mark(1), (A1_CUT,))),
        ([Q1, A1, Q2], [Q1, Q2], Plan(Mark(1), (Q2,))),
        ([Q1, A1], [], Plan(Mark(0), ())),
    ],
)
def test_plan(known: list[Note], journal: list[Note], plan: Plan) -> None:
    assert knowing(*known).plan(journal) == plan


def test_its_own_whole_answer_need_not_be_read() -> None:
    context = knowing(Q1)
    context.said, context.dirty = ("yes", Mark(1)), Mark(1)
    assert context.plan([Q1, A1, Q2]) == Plan(None, (Q2,))
    assert context.dirty is None


def test_its_own_answer_that_was_cut_is_forgotten_and_read_as_heard() -> None:
    context = knowing(Q1)
    context.said, context.dirty = ("yes", Mark(1)), Mark(1)
    plan = context.plan([Q1, A1_CUT])
    assert plan == Plan(Mark(1), (A1_CUT,))
    context.obey(plan)
    assert [key for key, _ in context.read] == ["q1"]


def test_a_stream_that_began_later_agrees_from_its_base_on() -> None:
    context = knowing(Q2)
    context.base = "q2"
    assert context.plan([Q1, A1, Q2]) == Plan(None, ())
    assert context.plan([Q1, A1]).is_fresh


def test_the_last_turns_begin_with_the_user() -> None:
    assert last_turns([Q1, A1, Q2], 2) == (Q1, A1, Q2)
    assert last_turns([Q1, A1, Q2], 1) == (Q2,)
