"""What a stream must do to agree with the journal, as a table."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.context import (
    FRAMES_READ,
    Plan,
    StreamContext,
    ends_spoken,
    last_turns,
    readable,
)
from duplex.conversation import Heard, Note, Outdated
from models.base import AssistantText, Mark, UserImage

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


PIXELS = np.zeros((2, 2, 3), np.uint8)
FRAMES = [Note(f"f{n}/0", UserImage(PIXELS, "low")) for n in range(9)]
PICTURE = Note("p/0", UserImage(PIXELS))


def outdated(*notes: Note) -> list[Note]:
    return [Note(note.key, Outdated()) for note in notes]


@pytest.mark.parametrize(
    ("known", "journal", "plan"),
    [
        # pushed out by newer ones: a stream that saw them keeps them, another never reads them
        (FRAMES[:2], [*outdated(*FRAMES[:2]), FRAMES[2]], Plan(None, (FRAMES[2],))),
        ([], [*outdated(*FRAMES[:2]), FRAMES[2]], Plan(None, (FRAMES[2],))),
        ([FRAMES[0], Q1, A1], [*outdated(FRAMES[0]), Q1, A1], Plan(None, ())),
        ([PICTURE, Q1], [*outdated(PICTURE), Q1, A1], Plan(None, (A1,))),
        # deleted by the client: forgotten
        ([FRAMES[0], Q1, A1], [Q1, A1], Plan(Mark(0), (Q1, A1))),
        # came while the user or the assistant spoke: nobody goes back for a frame
        ([FRAMES[0], Q1], [FRAMES[0], FRAMES[1], Q1, FRAMES[2]], Plan(None, (FRAMES[2],))),
        ([Q1, A1], [Q1, FRAMES[0], A1], Plan(None, ())),
        # but for a picture that was sent by itself
        ([Q1, A1], [Q1, PICTURE, A1], Plan(Mark(1), (PICTURE, A1))),
    ],
)
def test_pictures_come_and_go(known: list[Note], journal: list[Note], plan: Plan) -> None:
    assert knowing(*known).plan(journal) == plan


def test_its_own_answer_is_found_behind_the_frames_of_meanwhile() -> None:
    context = knowing(Q1)
    context.said, context.dirty = ("yes", Mark(1)), Mark(1)
    assert context.plan([Q1, FRAMES[0], A1, FRAMES[1]]) == Plan(None, (FRAMES[1],))


def test_of_a_row_of_frames_four_are_read() -> None:
    kept = readable([*FRAMES[:8], Q1, FRAMES[8]])
    assert [note.key for note in kept] == ["f0/0", "f2/0", "f5/0", "f7/0", "q1", "f8/0"]
    assert readable([PICTURE] * 6) == (PICTURE,) * 6


def test_a_minute_of_video_is_read_once_and_nothing_is_forgotten() -> None:
    """Two frames a second, a question every five seconds, and noise between."""
    context, read, position = StreamContext(), 0, 0
    journal: list[Note] = []
    for second in range(60):
        journal += [Note(f"v{second}{half}/0", UserImage(PIXELS, "low")) for half in "ab"]
        fresh = [place for place, note in enumerate(journal) if is_picture(note)]
        for place in fresh[:-8]:
            journal[place] = Note(journal[place].key, Outdated())
        if second % 5 == 4:
            journal += [Note(f"q{second}", Heard("q")), Note(f"a{second}", AssistantText("yes"))]
        if second % 3 == 0:  # somebody makes a sound: the stream comes to agree
            plan = context.plan(journal)
            assert plan.mark is None
            for note in plan.notes:
                context.note(note.key, Mark(position))
                position += 1
            read += sum(is_picture(note) for note in plan.notes)
    assert 0 < read <= 20 * (FRAMES_READ + 1)


def is_picture(note: Note) -> bool:
    return isinstance(note.content, UserImage)


def test_the_last_turns_are_counted_without_the_frames() -> None:
    tail = last_turns([Q1, A1, *FRAMES[:8], Q2], 2)
    assert [note.key for note in tail][:2] == ["q1", "a1/whole/yes"] and len(tail) == 7
    assert last_turns(outdated(*FRAMES), 2) == ()


def test_pictures_behind_a_spoken_turn_do_not_end_it() -> None:
    assert ends_spoken([A1, Q1, FRAMES[0], PICTURE])
    assert not ends_spoken([Q1, A1, FRAMES[0]]) and not ends_spoken(FRAMES)
