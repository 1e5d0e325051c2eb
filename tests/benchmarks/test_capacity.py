"""Capacity and the gate: what is made of the points."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.capacity import capacity, curves, is_overloaded, level, table
from benchmarks.gate import SCENES, Bound, broken, is_named, read_bounds
from benchmarks.scene import read_scenes


def point(sessions: int, latency: float, failed: int = 0) -> dict[str, Any]:
    outcomes = [{"response": latency, "answered": True} for _ in range(20)]
    result = {
        "outcomes": outcomes,
        "trials": 20,
        "figures": {"answered": {"rate": 1.0}},
        "failed_calls": ["x"] * failed,
        "driver": {"late_frames": 0},
    }
    return level(sessions, result)


@pytest.mark.parametrize(
    ("points", "fit"),
    [
        ([point(1, 0.2), point(2, 0.25), point(4, 0.31)], 2),
        ([point(1, 0.35)], 0),
        ([point(1, 0.2), point(2, 0.2, failed=1), point(3, 0.2)], 1),
        ([point(1, 0.2), point(2, 0.4), point(3, 0.2)], 1),  # luck beyond the first failure
    ],
)
def test_capacity_is_the_last_level_before_the_first_over_budget(
    points: list[dict[str, Any]], fit: int
) -> None:
    assert capacity(points) == fit
    assert table(points).row_count == len(points)


def test_the_curve_goes_on_until_the_median_is_over_budget() -> None:
    points = [point(1, 0.29), point(4, 0.31), point(8, 0.2, failed=1)]
    assert [is_overloaded(one) for one in points] == [False, True, True]
    assert curves(points)["median"] == [(1, 290.0), (4, 310.0), (8, 200.0)]


def test_the_committed_bounds_fit_the_committed_scenes() -> None:
    names = {scene.name for scene in read_scenes(SCENES)}
    bounds = read_bounds()
    assert {bound.scene for bound in bounds} == names
    assert all(bound.least > 0 or bound.most < 1 for bound in bounds)


def test_broken_bounds_are_named() -> None:
    bounds = [Bound("a", "answered", least=0.8), Bound("a", "missed", most=0.2), Bound("b", "x")]
    figures = {"answered": {"rate": 0.7}, "missed": {"rate": 0.1}}
    found = broken(bounds, {"a": {"figures": figures, "failed_calls": ["3: refused"]}})
    assert found == [
        "a: answered is 0.70, allowed is 0.80 to 1.00",
        "b: x was not measured",
        "a: call 3: refused",
    ]
    assert [is_named(scene, found) for scene in ("a", "b", "answered")] == [True, True, False]
