"""How long a pause is waited out, by the user's own pauses."""

from __future__ import annotations

import pytest

from duplex import actions
from duplex.endpointing import (
    CUT_OFF_LATER_S,
    FLUENT_EARLIER_S,
    FLUENT_TURNS,
    KEPT_AFTER_TURN,
    MAX_LATER_S,
    MIN_DELAY_S,
    PauseHabit,
    Settings,
)
from models.base import Verdict
from tests.duplex.scene import QUERY, WINDOW, Scene

CERTAIN = Verdict(query=0.98, noise=0.01, unfinished=0.01)


@pytest.mark.parametrize(("base", "delay"), [(0.12, MIN_DELAY_S), (0.096, 0.096), (0.0, 0.0)])
def test_no_delay_falls_below_the_least_or_what_was_set(base: float, delay: float) -> None:
    assert PauseHabit(num_fluent=FLUENT_TURNS).adapt(base) == delay


def test_who_was_cut_off_is_given_time_that_fades() -> None:
    habit = PauseHabit()
    habit.note_cut_off()
    assert habit.adapt(0.16) == 0.16 + CUT_OFF_LATER_S
    habit.note_turn()
    assert habit.adapt(0.16) == pytest.approx(0.16 + CUT_OFF_LATER_S * KEPT_AFTER_TURN)
    for _ in range(10):
        habit.note_cut_off()
    assert habit.adapt(0.16) == 0.16 + MAX_LATER_S
    for _ in range(20):
        habit.note_turn()
    assert habit.adapt(0.16) == 0.16 - FLUENT_EARLIER_S


def test_who_never_pauses_is_waited_for_less_until_the_first_pause() -> None:
    habit = PauseHabit()
    for _ in range(FLUENT_TURNS):
        assert habit.adapt(0.16) == 0.16
        habit.note_turn()
    assert habit.adapt(0.16) == 0.16 - FLUENT_EARLIER_S
    habit.note_pause(0.4, was_taken_for_end=False)
    habit.note_turn()
    assert habit.adapt(0.16) == 0.16


def test_going_on_after_a_prepared_answer_gives_time_too() -> None:
    habit = PauseHabit()
    habit.note_pause(0.2, was_taken_for_end=True)
    assert habit.adapt(0.16) == 0.16 + CUT_OFF_LATER_S / 2


# ------------------------------------------------------------------------ through the session


def delay_of_turn(stage: Scene) -> float:
    """Ask once; from the last voiced window to the start of the response."""
    before = len(stage.all(actions.ResponseStarted))
    stage.hear(1.0, True)
    end = stage.now
    stage.hear(0.9, False)
    started = list(stage.times(actions.ResponseStarted))
    assert len(started) == before + 1
    stage.advance(5.0)
    return started[-1] - end


def test_who_never_pauses_is_answered_earlier() -> None:
    stage = Scene(verdict=CERTAIN)
    delays = [delay_of_turn(stage) for _ in range(FLUENT_TURNS + 1)]
    assert delays[-1] < delays[0]


def test_a_user_who_was_cut_off_is_waited_for_longer_next_time() -> None:
    stage = Scene(verdict=QUERY, answer_seconds=3.0)
    usual = delay_of_turn(stage)
    stage.hear(0.6, True)
    stage.hear(0.3, False)
    assert stage.all(actions.SendAudio)
    stage.hear(0.6, True)  # within half a second of the answer's beginning
    stage.hear(0.9, False)
    stage.advance(5.0)
    assert stage.session.state.habit.later_s > 0.1
    assert delay_of_turn(stage) > usual + 0.08


def test_a_delay_that_the_client_has_set_does_not_adapt() -> None:
    stage = Scene(Settings(endpoint_delay=0.3), verdict=CERTAIN)
    for _ in range(FLUENT_TURNS + 2):
        assert delay_of_turn(stage) == pytest.approx(0.3, abs=WINDOW)
