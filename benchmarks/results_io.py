"""Result files. One file for each number of conversations at a time; a scene
that is played again replaces what was there of it.

Beside the figures, `<name>-trials.jsonl` has one line for each trial.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.plots import plot_curve, plot_latencies, plot_rates

_DIGITS = 4
_LATENCIES = ("response", "interruption", "stop", "duck")


def merge(path: Path, sessions: int, origin: Mapping[str, Any], scenes: Mapping[str, Any]) -> None:
    """Add or replace these scenes in a result file, and draw its plots anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"sessions": sessions, "scenes": {}}
    if path.is_file():
        report = json.loads(path.read_text(encoding="utf-8"))
    for name, scene in scenes.items():
        kept = {key: value for key, value in scene.items() if key not in ("outcomes", "sessions")}
        report["scenes"][name] = {"origin": dict(origin)} | _rounded(kept)
    report["scenes"] = dict(sorted(report["scenes"].items()))
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    trials = _merged_trials(path.with_name(f"{path.stem}-trials.jsonl"), scenes)
    draw(path, report["scenes"], trials)


def read_trials(path: Path) -> list[dict[str, Any]]:
    """All trials of a result file's companion; none where there is no such file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _merged_trials(path: Path, scenes: Mapping[str, Any]) -> list[dict[str, Any]]:
    trials = [trial for trial in read_trials(path) if trial["scene"] not in scenes]
    for name, scene in scenes.items():
        trials += [{"scene": name} | _rounded(one) for one in scene.get("outcomes", [])]
    trials.sort(key=lambda trial: str(trial["scene"]))
    lines = (json.dumps(trial, separators=(",", ":")) for trial in trials)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return trials


def draw(path: Path, scenes: Mapping[str, Any], trials: list[dict[str, Any]]) -> None:
    """The distributions of all latencies, the shares, and the end-of-turn curve."""
    for latency in _LATENCIES:
        columns: dict[str, list[float]] = {}
        for trial in trials:
            if isinstance(trial.get(latency), float):
                columns.setdefault(trial["scene"], []).append(trial[latency])
        if columns:
            plot_latencies(columns, path.with_name(f"{path.stem}-{latency}.png"), latency)
    shown = {name: one for name, one in scenes.items() if "skipped" not in one}
    plot_rates(_rates(shown), path.with_name(f"{path.stem}-rates.png"))
    for name, one in shown.items():
        if one.get("curve", {}).get("points"):
            plot_curve(
                _kinds(one["curve"]["points"]),
                ("latency at the end of a turn, ms", "false cut-offs, %"),
                path.with_name(f"{path.stem}-{name}.png"),
                five_percent=5.0,
            )


def _kinds(points: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """The points of each way to find an end: what its settings' names have before the comma."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        kind = str(point["setting"]).partition(",")[0]
        lines.setdefault(kind, []).append((point["latency_ms"], point["false_cut_offs"] * 100))
    return lines


def _rates(scenes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}: {title.replace('_', ' ')}": figure
        for name, one in scenes.items()
        for title, figure in one["figures"].items()
        if "rate" in figure
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
