"""Failing models: one turn has one visible end, and is tried again later, not at once."""

from __future__ import annotations

import pytest

from duplex import actions, events
from duplex.answering import Answering
from duplex.core import SessionState
from duplex.endpointing import Settings, TurnDetection
from duplex.turns import MAX_DELAY_S, HearingFailures
from tests.duplex.scene import WINDOW, Scene

REASON = "both instances are down"


class Down(Scene):
    """Every attempt to hear fails as soon as it is made, while `is_down`."""

    is_down = True

    def hear(self, seconds: float, voice: bool, *, echo: bool = False) -> None:
        for _ in range(round(seconds / WINDOW)):
            super().hear(WINDOW, voice, echo=echo)
            if self.segment is not None and self.is_down:
                self.handle(events.HearingFailed(self.segment, REASON))

    def failed(self) -> list[actions.ResponseEnded]:
        ended = self.all(actions.ResponseEnded)
        return [each for each in ended if each.status is actions.ResponseStatus.FAILED]


def scene(**settings: object) -> Down:
    return Down(Settings(**settings), verdict=None, answers=False)  # type: ignore[arg-type]


def test_five_seconds_of_speech_fail_once_and_visibly() -> None:
    stage = scene()
    stage.hear(0.5, False)
    stage.hear(5.0, True)
    stage.hear(1.0, False)
    assert stage.reasons() == ["failed"]
    assert len(stage.all(actions.BeginHearing)) == 1
    assert len(stage.all(actions.SpeechStarted)) <= 1
    (started,) = stage.all(actions.ResponseStarted)
    (ended,) = stage.failed()
    assert (ended.response_id, ended.reason) == (started.response_id, REASON)
    assert stage.session.state.responses.current is None
    assert len(stage.session.conversation.turns) == 0


def test_one_instance_that_fails_costs_no_turn() -> None:
    """Another monitor hears the segment again from its start, and the turn is answered."""
    stage = Scene()
    stage.hear(0.5, True)
    stage.handle(events.HearingFailed(1, "one instance is down"))
    replaced = stage.one(actions.ReplaceMonitor)
    assert replaced.segment is None and replaced.resume is not None
    assert (replaced.resume.segment, replaced.resume.start) == (
        1,
        stage.one(actions.BeginHearing).start,
    )
    stage.hear(0.5, True)
    stage.hear(5.0, False)
    assert stage.reasons() == ["answered"]


def test_each_turn_fails_once_and_the_models_are_tried_ever_less_often() -> None:
    stage = scene()
    for _ in range(12):
        stage.hear(1.0, True)
        stage.hear(1.0, False)
    assert len(stage.failed()) == 12
    tried = len(stage.all(actions.BeginHearing))
    assert 3 <= tried <= 7


def test_models_that_are_back_answer_the_next_turn() -> None:
    stage = scene()
    stage.hear(1.0, True)
    stage.hear(2.0, False)
    stage.is_down = False
    stage.verdict, stage.answers = Scene().verdict, True
    stage.hear(1.0, True)
    stage.hear(5.0, False)
    assert stage.reasons() == ["failed", "answered"]
    assert len(stage.failed()) == 1


def test_who_wants_no_answers_gets_no_failed_one() -> None:
    stage = scene(create_response=False)
    stage.hear(3.0, True)
    stage.hear(1.0, False)
    assert stage.reasons() == ["failed"]
    assert not stage.all(actions.ResponseStarted)


def test_a_clients_own_buffer_is_not_tried_at_every_window() -> None:
    stage = scene(turn_detection=TurnDetection.MANUAL)
    stage.hear(5.0, True)
    assert 2 <= len(stage.all(actions.BeginHearing)) <= 5


def test_the_delay_is_doubled_up_to_a_bound() -> None:
    state = SessionState("t", Settings())
    failures = HearingFailures(state, Answering(state))
    assert failures.may_try(0.0)
    delays = []
    for _ in range(8):
        failures.note(100.0)
        waited = 0.0
        while not failures.may_try(100.0 + waited):
            waited += 0.25
        delays.append(waited)
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert delays[-1] == MAX_DELAY_S
    failures.note_success()
    assert failures.may_try(100.0)


# --------------------------------------------------------------------- items nobody was told of


def test_an_answer_without_content_leaves_no_item() -> None:
    stage = Scene(answers=False)
    stage.handle(events.ResponseRequested(stage.settings.answer))
    stage.handle(events.CancelRequested())
    assert stage.session.conversation.turns == []
    stage.handle(events.ItemOffered("a", "user", (), {}))
    assert stage.all(actions.ItemAdded)[-1].previous_item_id is None


def test_no_item_stands_behind_one_that_nobody_was_told_of() -> None:
    stage = Scene(answers=False)
    stage.handle(events.ItemOffered("a", "user", (), {}))
    stage.handle(events.ResponseRequested(stage.settings.answer))
    stage.handle(events.ItemOffered("b", "user", (), {}))
    assert [each.previous_item_id for each in stage.all(actions.ItemAdded)] == [None, "a"]


@pytest.mark.parametrize("lead", [0.0, 0.001, 0.02])
def test_without_a_lead_sound_leaves_as_it_is_played(lead: float) -> None:
    stage = Scene(Settings(lead=lead), answer_seconds=1.0)
    stage.hear(1.0, True)
    stage.hear(3.0, False)
    sent = stage.all(actions.SendAudio)
    assert sum(each.count for each in sent) == 24_000
    assert stage.all(actions.ResponseEnded)[-1].status is actions.ResponseStatus.COMPLETED
