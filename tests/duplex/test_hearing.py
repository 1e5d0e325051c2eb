"""One stream and the segment that it hears, to the item that it becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from audio.recent import RecentAudio
from duplex.context_sync import SyncedStream
from duplex.conversation import ContextEntry, SpokenTurn
from duplex.events import VerdictGiven
from duplex.hearing import MAX_PIECE, HeardState, Hearing
from duplex.playout import AudioStore, ResponseTasks
from duplex.stream_worker import SessionServices
from models.base import HEAR_AHEAD, HEAR_CHUNK, HEAR_RATE, Conversation, UserSound
from tests.duplex.virtual import run_virtual
from tests.engine_script import QUERY, EngineScript
from tests.scripted_engine import ScriptedInstance, ScriptedStream

SECOND = HEAR_RATE


@dataclass
class Bench:
    """A hearing on a scripted stream, and what it reported and measured."""

    verdicts: list[VerdictGiven] = field(default_factory=list)
    measured: list[tuple[str, float]] = field(default_factory=list)
    verdict_delay: float = 0.0

    def __post_init__(self) -> None:
        script = EngineScript(verdict=lambda _: QUERY, verdict_delay=self.verdict_delay)
        self.instance = ScriptedInstance(script)
        self.store = AudioStore()
        self.recording = RecentAudio(60 * SECOND)
        services = SessionServices(
            self.recording,
            self.store,
            ResponseTasks(),
            lambda worker, report, samples: None,
            lambda what, value: self.measured.append((what, value)),
        )
        self.synced = SyncedStream(self.instance, Conversation, self.store)
        self.hearing = Hearing(self.synced, services, self.verdicts.append)

    def record(self, samples: int) -> None:
        sound = np.random.default_rng(1).uniform(-0.5, 0.5, samples)
        self.recording.append(sound.astype(np.float32))

    @property
    def stream(self) -> ScriptedStream:
        return self.instance.streams[-1]

    async def begin(self, number: int = 1, start: int = 0) -> None:
        self.hearing.open(number, start)
        await self.hearing.mark(())

    def heard(self) -> list[int]:
        """Samples of each piece that the stream heard."""
        return [size for size, _ in self.stream.record.values("hear")]


def bench(check: Callable[[Bench], Coroutine[Any, Any, None]], **made: Any) -> None:
    async def main() -> None:
        await check(Bench(**made))

    run_virtual(main())


def test_whole_chunks_are_heard_with_what_their_encoding_looks_at() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(HEAR_CHUNK + HEAR_AHEAD - 1)
        assert not await one.hearing.hear()
        assert one.heard() == []
        one.record(1)
        assert not await one.hearing.hear()
        assert one.heard() == [HEAR_CHUNK + HEAR_AHEAD]

    bench(check)


def test_after_a_stall_pieces_are_bounded_and_more_is_asked_for() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(3 * SECOND)
        turns = 1
        while await one.hearing.hear():
            turns += 1
        assert max(one.heard()) == MAX_PIECE
        assert turns == len(one.heard()) > 4

    bench(check)


def test_a_flush_hears_all_in_bounded_pieces_and_only_the_last_is_flushed() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(2 * SECOND)
        await one.hearing.flush(1, 2 * SECOND, 0)
        assert sum(one.heard()) == 2 * SECOND
        assert max(one.heard()) <= MAX_PIECE
        flags = [last for _, last in one.stream.record.values("hear")]
        assert flags == [False] * (len(flags) - 1) + [True]
        last = one.verdicts[-1]
        assert (last.segment, last.until, last.flushed) == (1, 2.0, True)

    bench(check)


@pytest.mark.parametrize("number", [2, 0])
def test_a_flush_of_another_segment_hears_nothing(number: int) -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(number, SECOND, 0)
        assert one.heard() == []

    bench(check)


def test_silence_stands_in_for_sound_and_moves_no_position() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, SECOND // 2)
        assert sum(one.heard()) == SECOND + SECOND // 2
        assert one.verdicts[-1].until == 1.0
        one.record(SECOND)
        await one.hearing.hear()
        assert one.verdicts[-1].until <= 2.0

    bench(check)


def test_how_long_hearing_takes_is_measured_against_the_sound() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        await asyncio.sleep(3.0)
        one.record(MAX_PIECE)
        await one.hearing.flush(1, MAX_PIECE, 0)
        ((what, value),) = one.measured
        assert what == "hear_rtf"
        assert value == pytest.approx(0.1 * HEAR_RATE / MAX_PIECE)

    bench(check, verdict_delay=0.1)


@pytest.mark.parametrize(("seconds", "share"), [(10, 0.6), (2, 1.0)])
def test_who_sends_faster_than_is_spoken_leaves_the_instance_to_others(
    seconds: int, share: float
) -> None:
    """Half of the time, as long as more than two seconds wait; a short delay is made up at once."""

    async def check(one: Bench) -> None:
        await one.begin()
        one.record(seconds * SECOND)
        began = asyncio.get_running_loop().time()
        while await one.hearing.hear():
            pass
        spent = asyncio.get_running_loop().time() - began
        pairs = zip(one.measured, one.heard(), strict=True)
        worked = sum(rtf * samples / HEAR_RATE for (_, rtf), samples in pairs)
        assert worked / spent == pytest.approx(share, abs=0.05)

    bench(check, verdict_delay=0.1)


def test_a_segment_that_becomes_an_item_is_kept_and_one_that_does_not_is_forgotten() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        await one.hearing.end(7, "other")  # not the one that is heard
        assert one.hearing.is_open
        await one.hearing.end(1, "item")
        assert one.hearing.segment is None
        assert [key for key, _ in one.synced.context.read] == ["item/0"]
        assert one.stream.record.names()[-1] == "end_segment"
        await one.begin(2, SECOND)
        one.record(SECOND)
        await one.hearing.flush(2, 2 * SECOND, 0)
        await one.hearing.end(2, None)
        assert one.stream.record.names()[-1] == "rewind"
        assert [key for key, _ in one.synced.context.read] == ["item/0"]

    bench(check)


def test_what_is_named_waits_for_its_answer_to_end_it() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        assert not one.hearing.name(1, "item", is_answering=False)
        assert not one.hearing.name(2, "item", is_answering=True)
        assert not one.hearing.is_named
        assert one.hearing.name(1, "item", is_answering=True)
        assert one.hearing.is_named
        await one.hearing.end_for_answer()
        assert one.hearing.segment is None
        assert [key for key, _ in one.synced.context.read] == ["item/0"]

    bench(check)


def test_what_its_answer_has_ended_is_an_item_at_once() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        await one.hearing.end_for_answer()
        await one.hearing.end_for_answer()  # once is enough
        assert one.stream.record.names().count("end_segment") == 1
        assert one.hearing.segment is not None
        assert one.hearing.segment.state is HeardState.ENDED
        assert one.hearing.name(1, "item", is_answering=False)
        assert one.hearing.segment is None

    bench(check)


def test_a_named_segment_is_settled_where_its_answer_never_was() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        await one.hearing.settle_named()  # it has no name yet
        assert one.hearing.is_open
        one.hearing.name(1, "item", is_answering=True)
        await one.hearing.settle_named()
        assert one.hearing.segment is None
        assert "end_segment" in one.stream.record.names()

    bench(check)


def test_the_user_goes_on_and_the_segment_is_open_again() -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        one.synced.context.unconfirmed = await one.stream.mark()
        await one.hearing.end_for_answer()
        assert not one.hearing.is_open
        await one.hearing.reopen()
        assert one.hearing.is_open
        assert one.stream.record.names()[-1] == "rewind"
        one.record(SECOND)
        assert not await one.hearing.hear() or one.heard()

    bench(check)


@pytest.mark.parametrize("state", HeardState)
def test_only_sound_of_an_open_segment_is_taken_back_for_another_answer(state: HeardState) -> None:
    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        assert one.hearing.segment is not None
        one.hearing.segment.state = state
        await one.hearing.forget_other(1)  # its own answer
        assert one.hearing.segment is not None
        await one.hearing.forget_other(None)
        assert one.hearing.segment is None
        is_taken_back = one.stream.record.names()[-1] == "rewind"
        assert is_taken_back == (state is HeardState.OPEN)

    bench(check)


def test_of_a_turn_in_two_segments_each_keeps_its_own_sound() -> None:
    """The stream tells the embeddings of the whole turn; the second item keeps only its part."""

    async def check(one: Bench) -> None:
        await one.begin()
        one.record(SECOND)
        await one.hearing.flush(1, SECOND, 0)
        await one.hearing.end(1, "first")
        one.hearing.open(2, SECOND)
        await one.hearing.mark((ContextEntry("first/0", SpokenTurn("first")),))
        one.record(SECOND)
        await one.hearing.flush(2, 2 * SECOND, 0)
        await one.hearing.end(2, "second")
        whole = one.stream.embedded()
        assert whole is not None
        parts = [one.store.resolve(SpokenTurn(name)) for name in ("first", "second")]
        kept = [part.embedded for part in parts if isinstance(part, UserSound)]
        first, second = kept
        assert first is not None and second is not None
        assert len(first) + len(second) == len(whole)
        np.testing.assert_array_equal(second, whole[len(first) :])

    bench(check)
