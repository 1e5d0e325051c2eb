"""What goes wrong with instances is told apart and put right, and nothing else is done for it."""

from __future__ import annotations

import asyncio
import gc
import warnings
from dataclasses import replace

import pytest

from duplex import actions, events
from duplex.endpointing import Settings, TurnDetection
from duplex.roles import STOP_TIMEOUT_S, UNHEALTHY_AFTER_S
from duplex.trace import VERSION, Measured, Record, TraceFormat
from models.base import AnswerOptions, Instructions, UserText
from server.replay.rerun import rerun
from tests.duplex.call import Call, Recorder, calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer
from tests.scripted_engine import ScriptedInstance

TEN = "one two three four five six seven eight nine ten"
LONG = ScriptedAnswer(" ".join([TEN] * 4))
TALKING = EngineScript(verdict=lambda _: QUERY, answers=[LONG] * 9)
BRIEF = EngineScript(verdict=lambda _: QUERY)


def measured(recorder: Recorder, what: str) -> list[float]:
    notes = [record.payload for record in recorder.records if isinstance(record.payload, Measured)]
    return [note.value for note in notes if note.what == what]


def offer(call: Call, item_id: str) -> None:
    wire = {"type": "message", "role": "user", "content": []}
    call.orchestrator.handle(events.ItemOffered(item_id, "user", (UserText(item_id),), wire))


# ---------------------------------------------------------------- a cancel while it still reads


@pytest.mark.parametrize("cancel_after", [0.0, 0.05, 0.3])
def test_a_cancel_while_the_context_is_read_blames_nobody(cancel_after: float) -> None:
    async def main() -> None:
        recorder = Recorder()
        slow = replace(TALKING, read_delay=0.4)
        async with calling(slow, observers=(recorder,)) as call:
            offer(call, "hello")
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(cancel_after)
            call.orchestrator.handle(events.CancelRequested())
            await call.pause(2.0)
            assert call.all(actions.ResponseEnded)[0].status is actions.ResponseStatus.CANCELLED
            assert measured(recorder, "unresponsive_instances") == []
            assert [len(instance.streams) for instance in call.instances] == [1, 1]
            assert not any(i.streams[0].record.values("answer") for i in call.instances)
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(2.0)
            assert call.sound(2).size

    run_virtual(main())


def test_a_cancel_while_it_generates_stops_the_generation() -> None:
    async def main() -> None:
        slow = replace(TALKING, answers=[replace(LONG, chunk_delay=0.3)] * 9)
        async with calling(slow) as call:
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(0.5)
            call.orchestrator.handle(events.CancelRequested())
            await call.pause(0.1)
            stopped = [i for i in call.instances if i.streams[0].record.values("stopped")]
            assert len(stopped) == 1

    run_virtual(main())


# ------------------------------------------------------------------- work that does not stop


def test_of_two_sessions_stuck_on_one_instance_the_first_recovery_clears_only_its_own() -> None:
    async def main() -> None:
        answers = [replace(LONG, stuck=4.0), replace(LONG, stuck=9.0)] * 3
        async with calling(replace(TALKING, answers=answers)) as call:
            pair = call.pool.pairs[0]
            lease = call.pool.lease()
            await call.speak(1.0)
            await call.pause(1.5)
            instance = next(i for i in call.instances if i.streams[0].record.values("answer"))
            other = lease.mark_unresponsive(instance)
            other.is_unhealthy = True
            call.orchestrator.handle(events.CancelRequested())
            await call.pause(STOP_TIMEOUT_S + UNHEALTHY_AFTER_S + 0.5)
            assert len(pair.outages) == 2 and not pair.is_healthy
            await call.pause(12.0)  # the cancelled work has stopped
            assert pair.outages == [other] and not pair.is_healthy
            lease.mark_recovered(other)
            assert pair.is_healthy

    run_virtual(main())


def test_a_session_that_ends_during_a_recovery_starts_nothing_any_more() -> None:
    async def main() -> None:
        stuck = replace(TALKING, answers=[replace(LONG, stuck=3.0)] * 9)
        for wait in (0.05, 0.19, 0.2, 0.21, 0.25):
            async with calling(stuck) as call:
                await call.speak(1.0)
                await call.pause(1.5)
                call.orchestrator.handle(events.CancelRequested())
                await call.pause(wait)
                streams = [len(instance.streams) for instance in call.instances]
            await asyncio.sleep(5.0)
            assert [len(instance.streams) for instance in call.instances] == streams

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_virtual(main())
        gc.collect()  # a coroutine that was never awaited says so here


def test_an_unresponsive_monitor_is_replaced_and_the_segment_heard_again() -> None:
    """The answer of the monitor is cancelled before it could swap, and does not stop."""

    async def main() -> None:
        recorder = Recorder()
        stuck = replace(TALKING, answers=[replace(LONG, stuck=9.0)] * 2)
        async with calling(stuck, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(0.12)  # an answer is prepared
            for instance in call.instances:
                instance.script = TALKING
            await call.speak(0.6)  # and the user goes on
            await call.pause(2.0)
            assert len(measured(recorder, "unresponsive_instances")) == 1
            replaced = [
                r.payload for r in recorder.records if isinstance(r.payload, actions.ReplaceMonitor)
            ]
            assert replaced[0].segment is None and replaced[0].resume is not None
            assert replaced[0].resume.segment == 1
            assert len(call.all(actions.ResponseStarted)) == 1 and call.sound(2).size

    run_virtual(main())


# ------------------------------------------------------- an answer that fails while held back


def said_to(instance: ScriptedInstance) -> list[str]:
    """What the newest stream of an instance that has answered knows, by kind."""
    (*_, answered) = [s for s in instance.streams if s.record.values("answer")]
    return [type(item).__name__ for item in answered.memory.items]


def test_an_instance_that_breaks_in_a_held_back_answer_loses_no_question() -> None:
    """The monitor's stream is lost, and the open segment with it: the other instance hears it again
    and answers it. Nobody answers what he has not heard."""

    async def main() -> None:
        breaking = replace(BRIEF, answers=[ScriptedAnswer(fail_after=0)])
        recorder = Recorder()
        async with calling(BRIEF, breaking, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(2.0)
            assert call.instances[1].broken is not None
            assert call.reasons() == ["answered"]
            assert [end.status.value for end in call.all(actions.ResponseEnded)] == ["completed"]
            assert said_to(call.instances[0]) == ["UserSound", "AssistantText"]
        resumed = [
            r.payload for r in recorder.records if isinstance(r.payload, actions.ReplaceMonitor)
        ]
        assert len(resumed) == 1 and resumed[0].resume is not None

    run_virtual(main())


def test_a_held_back_answer_that_is_unavailable_leaves_its_stream_as_it_was() -> None:
    """An address of a language model fails: the turn is committed all the same, and asked again."""

    async def main() -> None:
        answers = [ScriptedAnswer(unavailable_after=0), ScriptedAnswer()]
        recorder, away = Recorder(), replace(BRIEF, answers=answers)
        async with calling(BRIEF, away, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(2.0)
            assert call.reasons() == ["answered"]
            assert [end.status.value for end in call.all(actions.ResponseEnded)] == ["completed"]
            assert said_to(call.instances[1]) == ["UserSound", "AssistantText"]
            assert len(call.instances[1].streams) == 1  # which lives
        assert not [r for r in recorder.records if isinstance(r.payload, actions.ReplaceMonitor)]

    run_virtual(main())


@pytest.mark.parametrize("after", [0, 3])
def test_an_answer_that_stays_unavailable_fails_visibly_and_the_next_is_given(after: int) -> None:
    async def main() -> None:
        away = replace(LONG, unavailable_after=after, chunk_delay=0.05)
        script = replace(TALKING, answers=lambda _: away)
        async with calling(script) as call:
            await call.speak(1.0)
            await call.pause(3.0)
            ended = call.all(actions.ResponseEnded)
            assert [end.status.value for end in ended] == ["failed"]
            assert "unavailable by script" in str(ended[0].reason)
            for instance in call.instances:
                instance.script = TALKING
            await call.speak(1.0)
            await call.pause(2.0)
            assert len(call.all(actions.ResponseStarted)) == 2
            assert all(instance.broken is None for instance in call.instances)

    run_virtual(main())


# -------------------------------------------------------------- one event after the other


def test_a_worker_with_too_much_work_says_so_after_the_step_that_gave_it() -> None:
    """What overflows while an event is handled is an event of its own, behind it."""

    async def main() -> None:
        recorder = Recorder()
        endless = replace(TALKING, open_delay=1e6)
        async with calling(endless, observers=(recorder,)) as call:
            await call.speak(0.4)
            for number in range(300):
                call.orchestrator.handle(events.CommitRequested(str(number)))
                await call.speak(0.2)
        kinds = [(r.direction, type(r.payload).__name__) for r in recorder.records]
        failures = [
            n for n, kind in enumerate(kinds) if kind[1] in ("HearingFailed", "AnswerFailed")
        ]
        assert failures
        for place in failures:
            assert kinds[place][0] == "event"
            before = [kind for kind, _ in kinds[:place] if kind in ("event", "timer")]
            assert before
        # Replayed in this order the core does the same again: nothing was done in between.

        header = Record(0.0, "note", TraceFormat(VERSION))
        assert rerun([header, *recorder.records]) == []

    run_virtual(main())


# ------------------------------------------------------------------------- new instructions


def test_new_instructions_forget_nothing() -> None:
    async def main() -> None:
        async with calling(replace(TALKING, capacity=100_000)) as call:
            for number in range(32):
                offer(call, f"item{number}")
            await call.pause(0.1)
            await call.speak(1.0)
            await call.pause(1.0)
            call.orchestrator.handle(events.CancelRequested())
            call.orchestrator.change(instructions=("Be brief.",), tools=())
            await call.pause(0.5)
            await call.speak(1.0)
            await call.pause(2.0)
            renewed = [s for i in call.instances for s in i.streams[1:]]
            assert renewed
            for stream in renewed:
                assert stream.record.conversation.items == (Instructions("Be brief."),)
                told = [item for item in stream.memory.items if isinstance(item, UserText)]
                assert len(told) == 32

    run_virtual(main())


# ------------------------------------------------------- an answer asked for over open speech


@pytest.mark.parametrize("detection", [TurnDetection.SEMANTIC, TurnDetection.SERVER])
def test_an_answer_asked_for_while_the_user_speaks_loses_nothing_of_it(
    detection: TurnDetection,
) -> None:
    async def main() -> None:
        settings = Settings(
            turn_detection=detection, interrupt_response=False, create_response=False
        )
        async with calling(TALKING, settings=settings) as call:
            offer(call, "hello")
            await call.speak(0.6)
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions(speak=False)))
            await call.speak(0.6)
            await call.pause(20.0)
            assert call.all(actions.ResponseEnded)[0].status is actions.ResponseStatus.COMPLETED
            assert call.reasons() == ["not-requested"]
            committed = call.all(actions.BufferCommitted)
            sound = call.orchestrator.sound_of(committed[0].item_id)
            assert sound is not None and sound.size > 1.1 * 16_000
            assert max(shown.until for shown in call.all(actions.ShowVerdict)) > 1.1

    run_virtual(main())


# ------------------------------------------------------------------------------- usage


def test_usage_counts_the_tokens_of_the_language_model() -> None:
    async def main() -> None:
        async with calling(TALKING) as call:
            offer(call, "four letters are a token")
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(14.0)
            end = call.all(actions.ResponseEnded)[0]
            assert end.status is actions.ResponseStatus.COMPLETED
            assert end.input_tokens == 4 + len("four letters are a token") // 4
            assert end.output_tokens == 4 + len(LONG.text) // 4

    run_virtual(main())


def test_usage_of_a_cancelled_answer_counts_what_was_made() -> None:
    async def main() -> None:
        async with calling(TALKING) as call:
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(1.0)
            call.orchestrator.handle(events.CancelRequested())
            await call.pause(0.1)
            end = call.all(actions.ResponseEnded)[0]
            assert 0 < end.output_tokens < 4 + len(LONG.text) // 4

    run_virtual(main())
