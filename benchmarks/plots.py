"""Pictures of distributions and curves (matplotlib, without a display)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

_BUDGET = 300.0  # milliseconds, marked in every picture of latencies


def plot_latencies(columns: Mapping[str, Sequence[float]], path: Path, title: str) -> None:
    """Cumulative distributions of latencies in seconds, one line each."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name, values in columns.items():
        ordered = sorted(value * 1000 for value in values)
        shares = [(index + 1) / len(ordered) for index in range(len(ordered))]
        axes.step(ordered, shares, where="post", label=f"{name} (n = {len(ordered)})")
    axes.axvline(_BUDGET, color="grey", linestyle=":", linewidth=1)
    axes.set(title=title, xlabel="milliseconds", ylabel="share of trials", ylim=(0, 1.02))
    axes.set_xlim(0, _widest(columns))
    axes.legend(fontsize="small", loc="lower right")
    _save(figure, path)


def _widest(columns: Mapping[str, Sequence[float]]) -> float:
    """Wide enough for nearly all trials: one straggler must not squeeze the others."""
    values = sorted(value * 1000 for column in columns.values() for value in column)
    return max(2 * _BUDGET, 1.1 * values[round(0.98 * (len(values) - 1))])


def plot_rates(rates: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Shares with their 95 % intervals, one bar each."""
    shown = {name: rate for name, rate in rates.items() if rate["rate"] is not None}
    figure, axes = pyplot.subplots(figsize=(9, 0.3 * len(shown) + 1.2))
    for row, rate in enumerate(reversed(shown.values())):
        share, (low, high) = rate["rate"] * 100, (bound * 100 for bound in rate["interval"])
        errors = [[max(0.0, share - low)], [max(0.0, high - share)]]
        axes.barh(row, share, color="tab:blue", alpha=0.6, xerr=errors, capsize=3)
        axes.text(101, row, f"{rate['hits']}/{rate['count']}", va="center", fontsize="small")
    axes.set_yticks(range(len(shown)), list(reversed(shown)), fontsize="small")
    axes.set(xlabel="per cent of trials", xlim=(0, 112), ylim=(-0.6, len(shown) - 0.4))
    _save(figure, path)


def plot_curve(
    points: Sequence[tuple[float, float]] | Mapping[str, Sequence[tuple[float, float]]],
    labels: tuple[str, str],
    path: Path,
    **lines: float,
) -> None:
    """One curve through points, or several by name; `lines` are horizontal marks, name and
    height."""
    curves = points if isinstance(points, Mapping) else {"": points}
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, curve in curves.items():
        axes.plot([x for x, _ in curve], [y for _, y in curve], marker="o", label=name)
    first = min((x for curve in curves.values() for x, _ in curve), default=0)
    for name, height in lines.items():
        axes.axhline(height, color="grey", linestyle=":", linewidth=1)
        axes.annotate(name.replace("_", " "), (first, height))
    axes.set(xlabel=labels[0], ylabel=labels[1])
    if any(curves):
        axes.legend(fontsize="small")
    _save(figure, path)


def plot_attacks(
    rows: Mapping[str, tuple[float, float]], goals: tuple[float, float], path: Path
) -> None:
    """What a neighbour of each attack sees: p95 in milliseconds, and memory in MiB over quiet."""
    figure, sides = pyplot.subplots(1, 2, figsize=(11, 0.3 * len(rows) + 1.2), sharey=True)
    labels = ("p95 of typed answers, milliseconds", "memory at its peak, MiB over quiet")
    for side, (axes, label) in enumerate(zip(sides, labels, strict=True)):
        axes.barh(range(len(rows)), [row[side] for row in rows.values()], alpha=0.6)
        axes.axvline(goals[side], color="grey", linestyle=":", linewidth=1)
        axes.set(xlabel=label)
    sides[0].set_yticks(range(len(rows)), list(rows), fontsize="small")
    sides[0].invert_yaxis()
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def plot_gpu(found: Mapping[str, Any], path: Path) -> None:
    """Median times of the steps of one answer, and the capacity curve, of a GPU trial."""
    figure, (steps, curve) = pyplot.subplots(1, 2, figsize=(11, 4.5))
    answer = found.get("answer", {})
    bars = {name: step["p50_ms"] for name, step in answer.items() if _is_spread(step)}
    steps.bar(list(bars), list(bars.values()))
    steps.set(title="one answer", ylabel="median, milliseconds")
    steps.tick_params(axis="x", rotation=20)
    levels = found.get("capacity", {}).get("curve", [])
    sessions = [level["sessions"] for level in levels]
    for name, label in (("p50_ms", "median"), ("worst_ms", "worst")):
        times = [level["first_sound"][name] for level in levels]
        curve.plot(sessions, times, marker="o", label=label)
    curve.axhline(_BUDGET, color="grey", linestyle=":", linewidth=1)
    curve.set(title="first sound after the query", xlabel="conversations", xscale="log")
    if levels:
        curve.legend(fontsize="small")
    run = found.get("run", {})
    where = found.get("environment", {}).get("device", "CPU, tiny size")
    figure.suptitle(f"{where}, commit {run.get('commit', 'unknown')}")
    _save(figure, path)


def _is_spread(value: Any) -> bool:
    return isinstance(value, dict) and value.get("p50_ms") is not None
