"""Where a turn ends: tables of timed events and the decisions that follow."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from duplex import actions, endpointing, events
from duplex.endpointing import Eagerness, Settings
from models.base import Verdict
from tests.duplex.scene import NOISE, QUERY, UNFINISHED, Scene

SIDE_TALK = replace(NOISE, words="tom pass me the salt")
MHM = replace(NOISE, words="mhm")


def scene(**settings: object) -> Scene:
    return Scene(Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "silence", "reasons"),
    [
        (QUERY, 0.4, []),  # the answer decides it when it is over
        (NOISE, 0.7, ["ignored-noise"]),
        (SIDE_TALK, 0.7, ["ignored-side-talk"]),
        (UNFINISHED, 3.5, []),
        (UNFINISHED, 4.5, ["abandoned"]),
        (Verdict(0.4, 0.1, 0.0, 0.45), 4.5, ["abandoned"]),
        (Verdict(0.46, 0.1, 0.0, 0.44), 4.5, []),  # nearly a query: answered at last
        (None, 3.0, ["failed"]),
    ],
)
def test_a_pause_is_judged_by_the_verdict(
    verdict: Verdict | None, silence: float, reasons: list[str]
) -> None:
    stage = Scene(verdict=verdict, answer_seconds=20)
    stage.ask(silence=silence)
    assert stage.reasons() == reasons


@pytest.mark.parametrize(
    ("eagerness", "delay"),
    [(Eagerness.HIGH, 0.096), (Eagerness.AUTO, 0.16), (Eagerness.LOW, 0.48)],
)
def test_the_endpointing_delay_counts_from_the_last_voiced_sample(
    eagerness: Eagerness, delay: float
) -> None:
    stage = scene(eagerness=eagerness)
    stage.ask(silence=1.0)
    end = stage.one(actions.SpeechStopped).at
    started = next(stage.times(actions.ResponseStarted))
    assert delay - 1e-6 <= started - end <= delay + 2 * 0.032


DOUBTFUL = Verdict(query=0.55, noise=0.1, unfinished=0.35)


@pytest.mark.parametrize(("is_streamed", "apart"), [(True, 0.064), (False, 0.16)])
def test_a_pause_is_asked_about_as_often_as_the_model_can_say(
    is_streamed: bool, apart: float
) -> None:
    """A model that encodes the whole segment anew for each verdict is asked less often."""
    stage = Scene(verdict=UNFINISHED, settings=Settings().paced(is_streamed=is_streamed))
    stage.hear(1.0, True)
    stage.hear(0.45, False)
    times = list(stage.times(actions.FlushHearing))
    assert len(times) > 2
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([apart] * len(gaps))


@pytest.mark.parametrize(("asks_ahead", "first"), [(True, 0.064), (False, 0.096)])
def test_a_model_that_writes_first_is_asked_before_the_pause_is_sure(
    asks_ahead: bool, first: float
) -> None:
    """Once for each silence; and an answer is prepared only once the pause is sure."""
    settings = Settings().paced(is_streamed=True, asks_ahead=asks_ahead)
    stage = Scene(settings=settings)
    stage.hear(1.0, True)
    stage.hear(0.096, False)
    stage.hear(0.5, True)
    stage.hear(0.064, False)
    stage.hear(0.5, True)
    times = [round(flush.until, 3) for flush in stage.all(actions.FlushHearing)]
    voiced = stage.all(actions.FlushHearing)[0].until - first
    gaps = [voiced + first, voiced + 0.096]
    second = voiced + 0.096 + 0.512 + 0.064
    wanted = sorted({*gaps, second}) if asks_ahead else [voiced + 0.096]
    assert times == pytest.approx(wanted, abs=0.02)


def test_a_query_that_is_not_sure_is_committed_later() -> None:
    stage = Scene(verdict=DOUBTFUL)
    stage.ask(silence=1.0)
    end = stage.one(actions.SpeechStopped).at
    started = next(stage.times(actions.ResponseStarted))
    late = 0.16 + endpointing.UNSURE_EXTRA_DELAY_S
    assert late - 1e-6 <= started - end <= late + 2 * 0.032
    assert not [start for start in stage.all(actions.StartAnswer) if start.speculative]


def test_a_doubtful_query_goes_on_without_having_been_answered() -> None:
    stage = Scene(verdict=DOUBTFUL)
    stage.hear(1.0, True)
    stage.hear(0.19, False)
    assert stage.all(actions.StartAnswer) == []
    stage.hear(0.5, True)
    stage.verdict = QUERY
    stage.hear(1.0, False)
    assert len(stage.all(actions.ResponseStarted)) == 1


@pytest.mark.parametrize(
    ("late", "waited"), [(0.7, 4.0), (0.9, 0.8)]
)  # silence itself makes it a query, or it is certain
def test_what_turns_to_a_query_only_by_silence_waits(late: float, waited: float) -> None:
    stage = Scene(verdict=UNFINISHED)
    stage.hear(1.0, True)
    stage.hear(0.8, False)
    assert stage.segment is not None
    end = stage.audio - 0.8
    query = Verdict(query=late, noise=0.05, unfinished=0.95 - late)
    stage.verdict = query
    stage.judge(query)
    assert bool(stage.all(actions.StartAnswer)) is (waited < 1.0)  # nothing is prepared in doubt
    for _ in range(120):
        stage.hear(0.032, False)
    stage.advance(0.5)
    started = next(stage.times(actions.ResponseStarted))
    assert started - end == pytest.approx(waited, abs=0.1)


def test_a_late_doubtful_query_leaves_no_deadline_behind() -> None:
    stage = Scene(verdict=UNFINISHED)
    stage.hear(1.0, True)
    stage.hear(0.2, False)
    stage.advance(0.8)  # no audio comes any more
    assert stage.segment is not None
    stage.judge(DOUBTFUL)
    assert stage.session.deadline is not None
    assert stage.session.deadline > stage.now


@pytest.mark.parametrize(
    ("before", "gap", "after", "answered"),
    [
        (SIDE_TALK, 1.0, 0.7, False),  # talk goes on
        (SIDE_TALK, 1.0, 0.9, True),  # now it is meant for the assistant
        (SIDE_TALK, 4.0, 0.7, True),
        (NOISE, 1.0, 0.7, True),  # a cough is no talk
    ],
)
def test_what_follows_talk_to_somebody_else_must_be_certain(
    before: Verdict, gap: float, after: float, answered: bool
) -> None:
    stage = Scene(verdict=before, answer_seconds=20)
    stage.ask(silence=gap)
    stage.verdict = Verdict(query=after, noise=0.9 - after, unfinished=0.1)
    stage.ask(silence=0.7)
    assert bool(stage.all(actions.ResponseStarted)) is answered
    assert bool(stage.all(actions.StartAnswer)) is answered  # nothing is prepared in doubt


def test_after_a_doubtful_word_amid_talk_the_next_question_is_free() -> None:
    """Only talk makes the bar higher, not what was doubtful because of it."""
    stage = Scene(verdict=SIDE_TALK, answer_seconds=20)
    stage.ask(silence=1.0)
    stage.verdict = Verdict(query=0.3, noise=0.1, unfinished=0.6)
    stage.ask(silence=4.5)
    assert stage.reasons() == ["ignored-side-talk", "abandoned"]
    stage.verdict = Verdict(query=0.7, noise=0.1, unfinished=0.2)
    stage.ask(silence=0.7)
    assert stage.all(actions.ResponseStarted)


def test_a_chunk_that_ended_before_the_flush_changes_no_verdict() -> None:
    stage = Scene()
    stage.hear(1.0, True)
    stage.hear(0.128, False)  # the flush has said: a query
    assert stage.segment is not None
    late = events.VerdictGiven(stage.segment, UNFINISHED, stage.audio - 0.1, False)
    stage.handle(late)
    end = stage.audio
    stage.hear(0.2, False)
    assert next(stage.times(actions.ResponseStarted)) <= end + 0.1


def test_over_an_answer_a_doubtful_query_takes_no_turn() -> None:
    stage = Scene(answer_seconds=20)
    stage.ask()
    stage.advance(1.0)
    stage.verdict = Verdict(query=0.6, noise=0.38, unfinished=0.02)
    stage.hear(0.3, True)
    stage.hear(1.0, False)
    assert stage.reasons() == ["ignored-noise"]
    assert stage.session.state.responses.current is not None


def test_a_query_is_answered_and_decided_once() -> None:
    stage = Scene()
    stage.ask()
    stage.advance(4)
    assert stage.reasons() == ["answered"]
    assert stage.one(actions.ResponseEnded).status is actions.ResponseStatus.COMPLETED
    order = [
        type(action)
        for _, action in stage.log
        if isinstance(
            action,
            actions.SpeechStarted
            | actions.SpeechStopped
            | actions.BufferCommitted
            | actions.ItemAdded
            | actions.ResponseStarted
            | actions.ResponseEnded,
        )
    ]
    assert order == [
        actions.SpeechStarted,
        actions.SpeechStopped,
        actions.BufferCommitted,
        actions.ItemAdded,
        actions.ResponseStarted,
        actions.ResponseEnded,
    ]


def test_a_click_is_nobodys_turn() -> None:
    stage = Scene()
    stage.hear(0.032, True)
    stage.hear(0.5, False)
    assert stage.reasons() == ["abandoned"]
    assert not stage.all(actions.StartAnswer)


def test_the_pause_is_decided_although_the_client_sends_no_more_audio() -> None:
    stage = Scene()
    stage.hear(1.0, True)
    stage.hear(0.1, False)
    stage.advance(0.3)
    assert stage.all(actions.ResponseStarted)


def test_an_empty_answer_is_a_stop() -> None:
    stage = Scene(answers=False)
    stage.ask()
    stage.handle(events.AnswerFinished(stage.one(actions.StartAnswer).response_id))
    assert stage.reasons() == ["stopped"]
    assert not stage.all(actions.SendAudio)


def test_a_verdict_that_ripens_in_the_silence_is_asked_for_before_the_next_chunk() -> None:
    stage = Scene(verdict=UNFINISHED)
    stage.hear(1.0, True)
    stage.hear(0.16, False)
    asked = len(stage.all(actions.FlushHearing))
    assert asked >= 2
    stage.verdict = QUERY
    stage.hear(0.1, False)
    assert stage.one(actions.ResponseStarted)
    stage.hear(1.0, False)
    assert len(stage.all(actions.FlushHearing)) <= asked + 1
