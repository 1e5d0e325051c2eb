"""What is aimed at, and what was measured of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPOILED = 250.0  # milliseconds by which the driver may be late at most
GOALS = Path(__file__).parent / "goals.toml"


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` of a scene's figure shall be at least or at most so much: a share of trials (rate)
    or a percentile in milliseconds."""

    what: str
    scene: str
    figure: str
    value: str = "rate"
    least: float | None = None
    most: float | None = None

    @property
    def is_share(self) -> bool:
        return self.value == "rate"

    def bound(self) -> str:
        """The bound in words."""
        limit, word = (self.most, "at most") if self.least is None else (self.least, "at least")
        assert limit is not None
        return f"{word} {self.show(limit)}"

    def show(self, value: float) -> str:
        return f"{value * 100:.3g} %" if self.is_share else f"{value:.0f} ms"

    def is_reached(self, value: float) -> bool:
        high_enough = self.least is None or value >= self.least
        return high_enough and (self.most is None or value <= self.most)

    def is_spoiled(self, scenes: Mapping[str, Any]) -> bool:
        """The driver itself was so late that the figure says nothing about the server."""
        worst: float = scenes.get(self.scene, {}).get("driver", {}).get("worst_ms", 0.0)
        return worst > SPOILED

    def measured(self, scenes: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The figure among these results; None if it was not measured."""
        figure: Mapping[str, Any] | None = (
            scenes.get(self.scene, {}).get("figures", {}).get(self.figure)
        )
        return figure if figure and figure.get("count") else None


def read_goals(path: Path = GOALS) -> list[Goal]:
    """All goals of the file, in its order. Raises ValueError on one that is written wrongly."""
    try:
        goals = [Goal(**entry) for entry in tomllib.loads(path.read_text("utf-8"))["goal"]]
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    for goal in goals:
        if (goal.least is None) == (goal.most is None):
            raise ValueError(f"{path.name}: {goal.what}: either least or most")
    return goals


def cell(goal: Goal, figure: Mapping[str, Any] | None) -> str:
    """What was measured, with its interval and number of trials; bold where it is missed."""
    if figure is None:
        return "not measured"
    value = figure.get(goal.value)
    if value is None:
        return f"too few trials ({figure['count']})"
    shown = goal.show(value)
    if goal.is_share:
        low, high = (goal.show(bound) for bound in figure["interval"])
        detail = f"{figure['hits']} of {figure['count']}; {low} to {high}"
    elif goal.value == "p50_ms":
        low, high = (goal.show(bound) for bound in figure["interval_ms"])
        detail = f"n {figure['count']}; {low} to {high}"
    else:
        detail = f"n {figure['count']}"
    return f"{shown} ({detail})" if goal.is_reached(value) else f"**{shown}** ({detail})"
