"""What a stream says too late is dropped, whatever it is and whyever it is late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from audio.frame import Samples
from audio.recent import RecentAudio
from duplex import actions, events
from duplex.playout import AudioStore, ResponseTasks
from duplex.stream_worker import SessionServices, StreamWorker, WorkerReport
from models.base import (
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    Conversation,
    FunctionCall,
    SpokenWord,
    Verdict,
)
from tests.duplex.call import calling_on
from tests.duplex.scene import Scene
from tests.duplex.virtual import run_virtual
from tests.engine_script import QUERY, EngineScript
from tests.scripted_engine import ScriptedInstance, ScriptedStream

SOUND: Samples = np.full(480, 0.5, np.float32)
WORD = SpokenWord("late", 0, 480)
OUTPUT: list[events.AnswerEvent] = [
    events.AnswerTextMade(1, "late"),
    events.AnswerSoundMade(1, 480, (WORD,)),
    events.AnswerCallMade(1, "late", "{}"),
    events.AnswerFinished(1),
    events.AnswerFailed(1, "late"),
]
HEARING: list[WorkerReport] = [
    events.VerdictGiven(1, Verdict(0.9, 0.1), 1.0),
    events.HearingFailed(1, "late"),
]


def named(report: Any) -> str:
    return type(report).__name__


def new_worker() -> StreamWorker:
    def ignore(*_: Any) -> None:
        return None

    services = SessionServices(RecentAudio(10), AudioStore(), ResponseTasks(), ignore, ignore)
    return StreamWorker(ScriptedInstance(), Conversation, services)


def ended(tasks: ResponseTasks, worker: StreamWorker) -> StreamWorker:
    tasks.close(1)
    return worker


def cancelled(tasks: ResponseTasks, worker: StreamWorker) -> StreamWorker:
    tasks.cancel(1)
    return worker


def left_behind(_: ResponseTasks, worker: StreamWorker) -> StreamWorker:
    worker.is_left_behind = True
    return worker


def of_another(_: ResponseTasks, __: StreamWorker) -> StreamWorker:
    return new_worker()


LATENESS = [ended, cancelled, left_behind, of_another]


@pytest.mark.parametrize("report", OUTPUT, ids=named)
@pytest.mark.parametrize("become", LATENESS)
async def test_output_that_is_no_longer_current_is_not_admitted(
    report: WorkerReport, become: Callable[[ResponseTasks, StreamWorker], StreamWorker]
) -> None:
    tasks, worker = ResponseTasks(), new_worker()
    tasks.open(1, worker, own_stream=False)
    assert tasks.admit(worker, report, SOUND)
    late = become(tasks, worker)
    assert not tasks.admit(late, report, SOUND)


@pytest.mark.parametrize("report", HEARING, ids=named)
async def test_a_worker_that_was_left_behind_judges_nothing_any_more(report: WorkerReport) -> None:
    tasks, worker = ResponseTasks(), new_worker()
    assert tasks.admit(worker, report)
    worker.is_left_behind = True
    assert not tasks.admit(worker, report)


async def test_late_sound_is_not_kept() -> None:
    tasks, worker = ResponseTasks(), new_worker()
    tasks.open(1, worker, own_stream=False)
    assert tasks.admit(worker, OUTPUT[1], SOUND)
    tasks.cancel(1)
    assert not tasks.admit(worker, OUTPUT[1], 2 * SOUND)
    sent = tasks.send(actions.SendAudio(1, 0, 480), 0.0)
    assert np.array_equal(sent.samples, SOUND) and sent.words == (WORD,)
    with pytest.raises(IndexError):
        tasks.send(actions.SendAudio(1, 480, 1), 0.0)


@pytest.mark.parametrize("event", OUTPUT, ids=named)
def test_the_core_alone_drops_output_of_an_answer_that_has_ended(event: events.Event) -> None:
    stage = Scene()
    stage.ask()
    stage.handle(events.CancelRequested())
    before = len(stage.log)
    stage.handle(event)
    assert len(stage.log) == before
    assert stage.session.conversation.turns[-1].text.count("late") == 0


@pytest.mark.parametrize("event", OUTPUT, ids=named)
def test_output_of_a_speculation_that_failed_is_dropped(event: events.Event) -> None:
    stage = Scene(answers=False)
    stage.hear(1.0, True)
    stage.hear(0.096, False)
    stage.hear(0.3, True)  # the user goes on
    assert stage.one(actions.CancelAnswer).rewind
    before = len(stage.log)
    stage.handle(event)
    assert len(stage.log) == before


class DeafStream(ScriptedStream):
    """Goes on answering after it was cancelled."""

    async def answer(self, options: AnswerOptions) -> AsyncIterator[AnswerPart]:
        yield AnswerChunk("now ", SOUND)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            yield AnswerChunk("late", SOUND, (WORD,))
            yield FunctionCall("late", "{}")


class DeafInstance(ScriptedInstance):
    async def open(self, conversation: Conversation) -> ScriptedStream:
        self.streams.append(DeafStream(self, conversation))
        return self.streams[-1]


def test_nothing_late_reaches_the_client_of_an_engine_that_goes_on() -> None:
    async def main() -> None:
        script = EngineScript(verdict=lambda _: QUERY)
        instances = (DeafInstance(script, name="a"), DeafInstance(script, name="b"))
        async with calling_on(*instances) as call:
            await call.speak(1.0)
            await call.pause(1.0)
            call.orchestrator.handle(events.CancelRequested())
            await call.pause(0.5)
            assert [end.text for end in call.all(actions.ResponseEnded)] == ["now "]
            assert len(call.sound(1)) == len(SOUND)
            assert not call.all(actions.ResponseCallAdded)
            texts = [added.text for added in call.all(actions.ResponseTextAdded)]
            assert texts == ["now "]

    run_virtual(main())


def test_options_of_a_cancelled_answer_are_not_reused() -> None:
    stage = Scene(answers=False)
    stage.handle(events.ResponseRequested(AnswerOptions(speak=False)))
    stage.handle(events.CancelRequested())
    stage.handle(events.ResponseRequested(AnswerOptions(speak=False)))
    stage.handle(events.AnswerTextMade(1, "late"))
    stage.handle(events.AnswerTextMade(2, "now"))
    stage.handle(events.AnswerFinished(2))
    assert [end.text for end in stage.all(actions.ResponseEnded)] == ["", "now"]
