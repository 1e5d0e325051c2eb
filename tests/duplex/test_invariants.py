"""Whatever happens in whatever order, these things hold (see oracle.py for what they are)."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.duplex.any_order import STARTS, AnyOrder

SETTINGS = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
AnyOrder.TestCase.settings = SETTINGS
TestAnyOrder = AnyOrder.TestCase


class Counted(AnyOrder):
    """The same machine, of which the runs are counted."""

    runs: ClassVar[list[set[str]]] = []


def test_the_runs_go_where_it_matters() -> None:
    """With a fixed seed: a machine that never reaches a state says nothing of it."""
    fixed = settings(
        SETTINGS, max_examples=100, derandomize=True, database=None, phases=[Phase.generate]
    )
    run_state_machine_as_test(Counted, settings=fixed)
    counts = Counter(name for run in Counted.runs for name in run)
    shares = {name: counts[name] / len(Counted.runs) for name in counts}
    wanted = ["ducked", "confirmed", "interrupted", "resumed", "failed", "broken", "dropped"]
    wanted.append("ignored-other-speaker")
    assert len(Counted.runs) >= 100
    missing = {name: shares.get(name, 0.0) for name in wanted if shares.get(name, 0.0) < 0.05}
    assert not missing, f"{missing} of {shares}"


@pytest.mark.parametrize("start", STARTS)
def test_each_start_is_what_it_is_called(start: str) -> None:
    machine = AnyOrder()
    AnyOrder.begin(machine, start, 0.0, True)
    machine.every_deadline_lies_ahead()
    machine.finish()
