"""The model of a fleet, and how rolling restarts are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.fleet import buffers, day
from benchmarks.fleet_check import RealOutcome, calls_of, compared
from benchmarks.fleet_model import FleetModel, FleetOutcome, FleetPlan
from benchmarks.rolling import cut_answers, lost_turns, resumed_items
from server.call.latency import MeasuredTurn
from server.call.record import Happening


def simulate(plan: FleetPlan, arrivals: list[float], lengths: list[float]) -> FleetOutcome:
    return FleetModel(plan).run([(np.array(arrivals), np.array(lengths))])


FIXED = FleetPlan(places=2, least=1, most=1, retry=1.0, tries=3, step=0.1)


def test_a_call_is_refused_where_no_place_is_free_and_waits() -> None:
    outcome = simulate(FIXED, [0.0, 0.1, 0.2, 9.0], [1.6, 1.6, 1.0, 1.0])
    assert (outcome.offered, outcome.refused, outcome.given_up) == (4, 2, 0)
    assert outcome.waits == [pytest.approx(2.0, abs=0.25)]


def test_who_has_tried_often_enough_gives_up() -> None:
    outcome = simulate(FIXED, [0.0, 0.1, 0.2, 20.0], [10.0, 10.0, 1.0, 1.0])
    assert (outcome.given_up, outcome.refused) == (1, 3)
    assert outcome.given_up_share == 0.25


def test_blocking_is_erlang_s() -> None:
    """Without tries again and with fixed places the share of lost calls is known exactly."""
    random = np.random.default_rng(5)
    count, places, offered = 60_000, 10, 8.0
    arrivals = np.sort(random.uniform(0, count / offered, count))
    lengths = random.exponential(1.0, count)
    plan = FleetPlan(places, least=1, most=1, tries=1, step=0.02)
    outcome = FleetModel(plan).run([(arrivals, lengths)])
    lost = 1.0
    for servers in range(1, places + 1):
        lost = offered * lost / (servers + offered * lost)
    assert outcome.given_up_share == pytest.approx(lost, rel=0.08)


def test_the_fleet_follows_the_calls_up_and_down() -> None:
    plan = FleetPlan(places=10, start=10, buffer=30, least=4, down=60, settle=60, tries=1)
    arrivals = np.concatenate([np.linspace(0, 600, 300), np.linspace(4000, 6000, 40)])
    outcome = FleetModel(plan).run([(arrivals, np.full(340, 300.0))])
    assert max(outcome.taking) >= 150 and outcome.given_up_share < 0.05
    assert outcome.taking[-1] <= 60
    assert 0 < outcome.idle_share < 1


def test_without_a_buffer_a_full_fleet_never_grows() -> None:
    """Refused callers are no calls: the rule sees exactly as many as there are places."""
    plan = FleetPlan(places=4, start=5, buffer=0, least=1, tries=1)
    arrivals = np.linspace(0, 600, 600)
    outcome = FleetModel(plan).run([(arrivals, np.full(600, 60.0))])
    assert max(outcome.taking) == 4 and outcome.given_up_share > 0.5


def test_calls_that_outlast_a_drain_are_handed_over() -> None:
    plan = FleetPlan(4, start=1, buffer=0, least=1, down=1, settle=10, drain=30, look=1, tries=1)
    model = FleetModel(plan)
    model._servers = 3
    outcome = model.run([(np.array([0.0, 0.5, 1.0, 120.0]), np.array([900.0] * 3 + [1.0]))])
    assert outcome.handed_over >= 1


def test_a_day_has_as_many_calls_as_it_should() -> None:
    pieces = list(day(peak=200, mean=300, spread=1.0, seed=1))
    lengths = np.concatenate([lengths for _, lengths in pieces])
    busiest = sum(len(arrivals) for arrivals, _ in pieces[10 * 60 : 11 * 60])
    assert np.mean(lengths) == pytest.approx(300, rel=0.1)
    assert busiest * 300 / 3600 == pytest.approx(200, rel=0.1)
    assert buffers(8, 1000)[0] == 0 and max(buffers(8, 1000)) == 100


def test_calls_are_as_many_as_are_offered() -> None:
    arrivals, lengths = calls_of(seed=1, seconds=2000, offered=12, mean=4)
    assert float(lengths.sum()) / 2000 == pytest.approx(12, rel=0.1)
    assert (np.diff(arrivals) >= 0).all() and arrivals[-1] < 2000


def test_the_comparison_says_where_it_disagrees() -> None:
    met = RealOutcome(offered=100, refused=50, given_up=10, waits=[1.0] * 20)
    near = FleetOutcome(offered=100, refused=55, given_up=9, waits=[1.1] * 20)
    assert all(row["agrees"] for row in compared(met, near).values())
    far = FleetOutcome(offered=100, refused=80, given_up=9, waits=[1.1] * 20)
    assert not compared(met, far)["refused_tries"]["agrees"]


# ----------------------------------------------------------------------------- rolling restarts


def told(*events: dict[str, Any]) -> tuple[Happening, ...]:
    return tuple(Happening(float(n), event) for n, event in enumerate(events))


def created(*items: str) -> dict[str, Any]:
    return {"type": "session.created", "session": {"antiphon": {"resumed": {"items": items}}}}


def asked(at: float, response: float | None) -> MeasuredTurn:
    """A question of one second, and how long its answer took."""
    return MeasuredTurn("query", "q", at, at + 1, False, False, response is not None, response)


@pytest.mark.parametrize(
    ("turns", "lost"),
    [
        ([asked(1, 0.3), asked(9, 0.3)], 0),  # in the quiet after an answer
        ([asked(1, 0.3), asked(4.5, 2.0)], 0),  # in the middle of a question, said again
        ([asked(1, 0.3), asked(4.5, None)], 1),
        ([asked(1, 0.3), asked(5.5, None)], 1),  # said while the connection was away
        ([asked(1, None), asked(9, 0.3)], 1),  # it had been waiting for its answer
        ([asked(1, 0.3), asked(9, None)], 0),  # long after it: nothing of the gap's
        ([], 0),
    ],
)
def test_a_turn_is_lost_where_a_gap_left_it_without_an_answer(
    turns: list[MeasuredTurn], lost: int
) -> None:
    assert lost_turns(turns, [(5.0, 6.0)]) == lost


ANSWERING = {"type": "response.created", "response": {"id": "r"}}
ANSWERED = {"type": "response.done", "response": {"id": "r"}}


@pytest.mark.parametrize(
    ("happenings", "cut"),
    [(told(ANSWERING, ANSWERED, created("a")), 0), (told(ANSWERING, created("a")), 1)],
)
def test_an_answer_is_cut_where_a_gap_ended_it(happenings: tuple[Happening, ...], cut: int) -> None:
    assert cut_answers(happenings) == cut
    assert [list(items) for items in resumed_items(happenings)] == [["a"]]
