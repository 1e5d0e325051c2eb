"""Shares, percentiles and intervals; and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.percentiles import distribution, rate
from benchmarks.results import curve, summarise, table


@pytest.mark.parametrize(
    ("hits", "share", "low", "high"),
    [
        ([True] * 20 + [False] * 80, 0.2, (0.1, 0.16), (0.24, 0.3)),
        ([False] * 96, 0.0, (0.0, 0.0), (0.03, 0.032)),  # 0 of 96 bounds the rate at 3 %
        ([True] * 10, 1.0, (0.7, 0.7), (1.0, 1.0)),
    ],
)
def test_rate(
    hits: list[bool], share: float, low: tuple[float, float], high: tuple[float, float]
) -> None:
    found = rate(hits)
    assert found["rate"] == pytest.approx(share)
    assert low[0] <= found["interval"][0] <= low[1]
    assert high[0] <= found["interval"][1] <= high[1]


@pytest.mark.parametrize(
    ("count", "has"), [(99, ()), (100, ("p95_ms",)), (500, ("p95_ms", "p99_ms"))]
)
def test_high_percentiles_need_trials(count: int, has: tuple[str, ...]) -> None:
    found = distribution(list(np.linspace(0.1, 0.3, count)))
    assert tuple(name for name in ("p95_ms", "p99_ms") if name in found) == has
    assert found["p50_ms"] == pytest.approx(200)
    assert found["interval_ms"][0] < 200 < found["interval_ms"][1]


def test_nothing_measured_is_no_number() -> None:
    assert rate([])["rate"] is None
    assert distribution([])["p50_ms"] is None


def test_summary_has_the_whole_and_each_group() -> None:
    outcomes: list[dict[str, Any]] = [
        {"answered": True, "response": 0.2, "group": "x"},
        {"answered": False, "response": None, "group": "y"},
    ]
    found = summarise(outcomes)
    assert found["trials"] == 2
    assert found["figures"]["answered"]["rate"] == 0.5
    assert found["figures"]["response"]["count"] == 1
    assert found["groups"]["y"]["answered"]["hits"] == 0
    assert "response" not in found["groups"]["y"]
    scenes = {"scene": found, "other": {"skipped": "no data"}}
    assert table(scenes).row_count == 2 + 2 + 1 + 1


def test_the_end_of_turn_curve_is_read_off_at_its_budgets() -> None:
    def point(latency: float, share: float) -> dict[str, dict[str, float]]:
        return {"commit": {"p50_ms": latency}, "false_cut_off": {"rate": share}}

    found = curve({"fast": point(250, 0.2), "middle": point(550, 0.04), "slow": point(900, 0.01)})
    assert found["false_cut_offs_at_300_ms"] == 0.2
    assert found["false_cut_offs_at_600_ms"] == 0.04
    assert found["latency_ms_at_5_percent"] == 550
    assert [one["setting"] for one in found["points"]] == ["fast", "middle", "slow"]
    assert curve({})["latency_ms_at_5_percent"] is None
