"""What a stream must do to agree with the context_now, as a table."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.context_sync import (
    LEAST_ROOM,
    StreamContext,
    SyncedStream,
    SyncPlan,
    ends_spoken,
    last_entries,
    readable,
    sampled_frames,
)
from duplex.conversation import ContextEntry, OutdatedPicture, SpokenTurn
from duplex.playout import AudioStore
from models.base import (
    AssistantText,
    Conversation,
    Instructions,
    Mark,
    OutOfRoom,
    UserImage,
    UserText,
)
from models.capabilities import FRAMES_READ, Capabilities
from tests.engine_script import EngineScript
from tests.scripted_engine import ScriptedInstance

Q1, A1, Q2 = (
    ContextEntry("q1", SpokenTurn("q1")),
    ContextEntry("a1/whole/yes", AssistantText("yes")),
    ContextEntry("q2", SpokenTurn("q2")),
)
A1_CUT = ContextEntry("a1/cut/y", AssistantText("y", cut=True))


def knowing(*entrys: ContextEntry) -> StreamContext:
    context = StreamContext()
    for place, entry in enumerate(entrys):
        context.add(entry.key, Mark(place))
    return context


@pytest.mark.parametrize(
    ("known", "context_now", "plan"),
    [
        ([], [], SyncPlan(None, ())),
        ([], [Q1], SyncPlan(None, (Q1,))),
        ([Q1], [Q1, A1], SyncPlan(None, (A1,))),
        ([Q1, A1], [Q1, A1_CUT], SyncPlan(Mark(1), (A1_CUT,))),
        ([Q1, A1, Q2], [Q1, Q2], SyncPlan(Mark(1), (Q2,))),
        ([Q1, A1], [], SyncPlan(Mark(0), ())),
    ],
)
def test_plan(known: list[ContextEntry], context_now: list[ContextEntry], plan: SyncPlan) -> None:
    assert knowing(*known).plan(context_now) == plan


def test_its_own_whole_answer_need_not_be_read() -> None:
    context = knowing(Q1)
    context.own_answer, context.unconfirmed = ("yes", Mark(1)), Mark(1)
    assert context.plan([Q1, A1, Q2]) == SyncPlan(None, (Q2,))
    assert context.unconfirmed is None


def test_its_own_answer_that_was_cut_is_forgotten_and_read_as_heard() -> None:
    context = knowing(Q1)
    context.own_answer, context.unconfirmed = ("yes", Mark(1)), Mark(1)
    plan = context.plan([Q1, A1_CUT])
    assert plan == SyncPlan(Mark(1), (A1_CUT,))
    assert plan.mark is not None
    context.rewound(plan.mark)
    assert [key for key, _ in context.read] == ["q1"]


def test_a_stream_that_began_later_agrees_from_its_base_on() -> None:
    context = knowing(Q2)
    context.base = "q2"
    assert context.plan([Q1, A1, Q2]) == SyncPlan(None, ())
    assert context.plan([Q1, A1]).is_fresh


def test_the_last_turns_begin_with_the_user() -> None:
    assert last_entries([Q1, A1, Q2], 2) == (Q1, A1, Q2)
    assert last_entries([Q1, A1, Q2], 1) == (Q2,)


async def test_what_is_unconfirmed_is_forgotten_once_and_then_the_stream_is_clean() -> None:
    instance = ScriptedInstance(EngineScript())
    stream = SyncedStream(instance, Conversation, AudioStore())
    await stream.sync((ContextEntry("a", UserText("a")),))
    opened = await stream.ready()
    stream.context.unconfirmed = await opened.mark()
    stream.context.own_answer = ("never", stream.context.unconfirmed)
    await opened.read(AssistantText("never"))
    await stream.drop_unconfirmed()
    assert stream.context.unconfirmed is None and stream.context.own_answer is None
    await stream.sync((ContextEntry("a", UserText("a")), ContextEntry("b", UserText("b"))))
    await stream.drop_unconfirmed()
    assert instance.streams[0].memory.items == (UserText("a"), UserText("b"))
    assert len(instance.streams[0].record.values("rewind")) == 1


PIXELS = np.zeros((2, 2, 3), np.uint8)
FRAMES = [ContextEntry(f"f{n}/0", UserImage(PIXELS, "low")) for n in range(9)]
PICTURE = ContextEntry("p/0", UserImage(PIXELS))


def outdated(*entrys: ContextEntry) -> list[ContextEntry]:
    return [ContextEntry(entry.key, OutdatedPicture()) for entry in entrys]


@pytest.mark.parametrize(
    ("known", "context_now", "plan"),
    [
        # pushed out by newer ones: a stream that saw them keeps them, another never reads them
        (FRAMES[:2], [*outdated(*FRAMES[:2]), FRAMES[2]], SyncPlan(None, (FRAMES[2],))),
        ([], [*outdated(*FRAMES[:2]), FRAMES[2]], SyncPlan(None, (FRAMES[2],))),
        ([FRAMES[0], Q1, A1], [*outdated(FRAMES[0]), Q1, A1], SyncPlan(None, ())),
        ([PICTURE, Q1], [*outdated(PICTURE), Q1, A1], SyncPlan(None, (A1,))),
        # deleted by the client: forgotten
        ([FRAMES[0], Q1, A1], [Q1, A1], SyncPlan(Mark(0), (Q1, A1))),
        # came while the user or the assistant spoke: nobody goes back for a frame
        ([FRAMES[0], Q1], [FRAMES[0], FRAMES[1], Q1, FRAMES[2]], SyncPlan(None, (FRAMES[2],))),
        ([Q1, A1], [Q1, FRAMES[0], A1], SyncPlan(None, ())),
        # but for a picture that was sent by itself
        ([Q1, A1], [Q1, PICTURE, A1], SyncPlan(Mark(1), (PICTURE, A1))),
    ],
)
def test_pictures_come_and_go(
    known: list[ContextEntry], context_now: list[ContextEntry], plan: SyncPlan
) -> None:
    assert knowing(*known).plan(context_now) == plan


def test_its_own_answer_is_found_behind_the_frames_of_meanwhile() -> None:
    context = knowing(Q1)
    context.own_answer, context.unconfirmed = ("yes", Mark(1)), Mark(1)
    assert context.plan([Q1, FRAMES[0], A1, FRAMES[1]]) == SyncPlan(None, (FRAMES[1],))


def test_of_a_row_of_frames_four_are_read() -> None:
    kept = readable([*FRAMES[:8], Q1, FRAMES[8]])
    assert [entry.key for entry in kept] == ["f0/0", "f2/0", "f5/0", "f7/0", "q1", "f8/0"]
    assert readable([PICTURE] * 6) == (PICTURE,) * 6


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [
        (0, 4, []),
        (3, 4, [0, 1, 2]),
        (8, 4, [0, 2, 5, 7]),
        (8, 6, [0, 1, 3, 4, 6, 7]),
        (30, 2, [0, 29]),
    ],
)
def test_frames_are_spread_evenly(count: int, most: int, places: list[int]) -> None:
    assert sampled_frames(count, most) == places


class Watching(ScriptedInstance):
    """An instance whose model is given six frames of a row."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(context=self.capacity(), frames=6)


async def test_a_model_is_given_as_many_frames_as_it_asks_for() -> None:
    instance = Watching(EngineScript())
    stream = SyncedStream(instance, Conversation, AudioStore())
    for context in (FRAMES[:8], [PICTURE, *FRAMES[:8]]):  # read on, and begun afresh
        await stream.close()
        await stream.sync(tuple(context))
        read = instance.streams[-1].memory.items
        assert sum(isinstance(item, UserImage) and item.is_frame for item in read) == 6


def test_a_minute_of_video_is_read_once_and_nothing_is_forgotten() -> None:
    """Two frames a second, a question every five seconds, and noise between."""
    context, read, position = StreamContext(), 0, 0
    context_now: list[ContextEntry] = []
    for second in range(60):
        context_now += [
            ContextEntry(f"v{second}{half}/0", UserImage(PIXELS, "low")) for half in "ab"
        ]
        fresh = [place for place, entry in enumerate(context_now) if is_picture(entry)]
        for place in fresh[:-8]:
            context_now[place] = ContextEntry(context_now[place].key, OutdatedPicture())
        if second % 5 == 4:
            context_now += [
                ContextEntry(f"q{second}", SpokenTurn("q")),
                ContextEntry(f"a{second}", AssistantText("yes")),
            ]
        if second % 3 == 0:  # somebody makes a sound: the stream comes to agree
            plan = context.plan(context_now)
            assert plan.mark is None
            for entry in plan.entries:
                context.add(entry.key, Mark(position))
                position += 1
            read += sum(is_picture(entry) for entry in plan.entries)
    assert 0 < read <= 20 * (FRAMES_READ + 1)


def is_picture(entry: ContextEntry) -> bool:
    return isinstance(entry.content, UserImage)


def test_the_last_turns_are_counted_without_the_frames() -> None:
    tail = last_entries([Q1, A1, *FRAMES[:8], Q2], 2)
    assert [entry.key for entry in tail][:2] == ["q1", "a1/whole/yes"] and len(tail) == 7
    assert last_entries(outdated(*FRAMES), 2) == ()


def test_pictures_behind_a_spoken_turn_do_not_end_it() -> None:
    assert ends_spoken([A1, Q1, FRAMES[0], PICTURE])
    assert not ends_spoken([Q1, A1, FRAMES[0]]) and not ends_spoken(FRAMES)


# ---------------------------------------------------------------------------- what is kept


def entries(count: int) -> tuple[ContextEntry, ...]:
    return tuple(ContextEntry(f"i{n}", UserText(f"item {n}")) for n in range(count))


async def test_a_stream_opened_anew_reads_the_whole_context_where_it_fits() -> None:
    instance = ScriptedInstance(EngineScript(capacity=100_000))
    stream = SyncedStream(instance, Conversation, AudioStore())
    await stream.sync(entries(32))
    await stream.close()
    await stream.sync(entries(33))
    assert len(instance.streams) == 2
    assert len(instance.streams[1].memory.items) == 33


async def test_a_context_that_does_not_fit_is_read_from_its_last_entries() -> None:
    instance = ScriptedInstance(EngineScript(capacity=80))
    stream = SyncedStream(instance, Conversation, AudioStore())
    await stream.sync(entries(40))
    items = instance.streams[-1].memory.items
    one = instance.streams[-1].record.values("read")
    assert items[-1] == UserText("item 39")
    # Nothing is forgotten that fits: with one entry more there would be too little room left.
    assert 0.1 * 80 <= instance.streams[-1].room() <= 0.2 * 80 + 80 // len(one)
    assert len(instance.streams) <= 3


async def test_a_lone_entry_is_read_however_little_room_it_leaves() -> None:
    """There is nothing older that could be left out for more."""
    instance = ScriptedInstance(EngineScript(capacity=80))
    stream = SyncedStream(instance, Conversation, AudioStore())
    lone = ContextEntry("i", UserText("word " * 60))
    assert await stream.sync((lone,))
    assert 0 < instance.streams[-1].room() < LEAST_ROOM * 80
    assert instance.streams[-1].memory.items == (lone.content,)
    assert len(instance.streams) == 1


async def test_an_opening_that_is_too_long_begins_later() -> None:
    """An answer apart from the session's stream is told all at once what was said."""
    said = tuple(UserText(f"item {number}") for number in range(40))
    opening = Conversation((Instructions("Be brief."), *said))
    instance = ScriptedInstance(EngineScript(capacity=80))
    opened = await SyncedStream(instance, lambda: opening, AudioStore()).ready()
    assert opened.room() > 0
    [stream] = instance.streams
    assert stream.memory.items[0] == Instructions("Be brief.")
    assert stream.memory.items[-1] == said[-1] and len(stream.memory.items) > 2


async def test_what_never_fits_is_said() -> None:
    long = Conversation((UserText("word " * 500),))
    instance = ScriptedInstance(EngineScript(capacity=80))
    with pytest.raises(OutOfRoom):
        await SyncedStream(instance, lambda: long, AudioStore()).ready()
