"""From the outcomes of trials to figures, as JSON and as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from benchmarks.percentiles import distribution, rate

_NO_LATENCY = frozenset(
    {"difference", "seconds", "error", "lost_samples", "backchannels_per_second"}
)


def summarise(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures over all trials and over each group of them."""
    figures: dict[str, Any] = {"trials": len(outcomes), "figures": _figures(outcomes)}
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.get("group"):
            groups[str(outcome["group"])].append(outcome)
    if groups:
        figures["groups"] = {name: _figures(part) for name, part in sorted(groups.items())}
    return figures


def _figures(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = defaultdict(list)
    for outcome in outcomes:
        for name, value in outcome.items():
            if isinstance(value, bool | float) and value is not None:
                columns[name].append(value)
    figures: dict[str, Any] = {}
    for name, values in columns.items():
        if all(isinstance(value, bool) for value in values):
            figures[name] = rate(values)
        elif name in _NO_LATENCY:
            mean, worst = sum(values) / len(values), max(values, key=abs)
            figures[name] = {"count": len(values), "mean": mean, "worst": worst}
        else:
            figures[name] = distribution(values)
    return figures


def curve(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The end-of-turn curve from the groups of the endpoint scene: for each setting its share of
    false cut-offs and its latency; read off at 300 and 600 ms and at 5 % false cut-offs."""
    points = sorted(
        (group["commit"]["p50_ms"], group["false_cut_off"]["rate"], name)
        for name, group in groups.items()
        if group.get("commit", {}).get("p50_ms") is not None
    )
    return {
        "points": [
            {"setting": name, "latency_ms": latency, "false_cut_offs": share}
            for latency, share, name in points
        ],
        "false_cut_offs_at_300_ms": _best_share(points, 300.0),
        "false_cut_offs_at_600_ms": _best_share(points, 600.0),
        "latency_ms_at_5_percent": min((p[0] for p in points if p[1] <= 0.05), default=None),
    }


def _best_share(points: list[tuple[float, float, str]], budget: float) -> float | None:
    return min((share for latency, share, _ in points if latency <= budget), default=None)


def table(scenes: Mapping[str, Any]) -> Table:
    """One row for each figure of each scene and group."""
    view = Table(title="duplex", title_justify="left")
    for name in ("scene", "figure", "n", "value", "95 % interval", "p90", "p95"):
        is_name = name in ("scene", "figure")
        view.add_column(name, justify="left" if is_name else "right", no_wrap=True)
    for scene, result in scenes.items():
        if "skipped" in result:
            view.add_row(scene, f"skipped: {result['skipped']}", "", "", "", "", "")
            continue
        parts = {scene: result["figures"]}
        parts |= {f"{scene} [{name}]": part for name, part in result.get("groups", {}).items()}
        for title, figures in parts.items():
            for name, figure in figures.items():
                view.add_row(title, name, str(figure["count"]), *_cells(figure))
    return view


def _cells(figure: Mapping[str, Any]) -> tuple[str, str, str, str]:
    if "rate" in figure:
        return _share(figure["rate"]), _pair(figure["interval"], _share), "", ""
    if "p50_ms" in figure:
        times = (figure.get(name) for name in ("p90_ms", "p95_ms"))
        p90, p95 = ("" if value is None else _time(value) for value in times)
        return _time(figure["p50_ms"]), _pair(figure["interval_ms"], _time), p90, p95
    return f"{figure['mean']:.2f}", "", "", ""


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"


def _time(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _pair(pair: Sequence[float] | None, show: Any) -> str:
    return "" if pair is None else f"{show(pair[0]).split()[0]}-{show(pair[1])}"
