"""The measuring room: `python -m benchmarks.page` writes our figures into README.md from results/.

No figure gets there by hand: what was not measured is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- ours: written by benchmarks.page -->", "<!-- end -->"


def main(folder: Path = FOLDER) -> None:
    """Replace the part between the marks."""
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{section(folder / 'results')}\n{_END}{after}", "utf-8")


def section(results: Path) -> str:
    """Our figures as Markdown, from all result files of a folder."""
    parts = ["## Our figures", ""]
    for path in sorted(results.glob("duplex-*.json")):
        parts += duplex(json.loads(path.read_text(encoding="utf-8")))
    if (results / "capacity.json").is_file():
        parts += capacity(json.loads((results / "capacity.json").read_text(encoding="utf-8")))
    if (results / "soak.json").is_file():
        parts += soak(json.loads((results / "soak.json").read_text(encoding="utf-8")))
    return "\n".join(parts if len(parts) > 2 else [*parts, "Not measured yet."])


def origin(report: Mapping[str, Any]) -> str:
    """Where and of what a report was measured."""
    machine = report["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"commit {report['commit']}, {report['measured_at']}"
    )


def duplex(report: Mapping[str, Any]) -> list[str]:
    """One table of all scenes."""
    lines = [
        f"### Duplex, {report['sessions']} conversation(s) at a time",
        "",
        f"{origin(report)}; recordings: {report['split']}.",
        "",
        "| scene | figure | n | value | 95 % interval | p90 | p95 |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, scene in report["scenes"].items():
        if "skipped" in scene:
            lines.append(f"| {name} | skipped: {scene['skipped']} | | | | | |")
            continue
        figures = {"": scene["figures"]} | scene.get("groups", {})
        for group, part in figures.items():
            title = f"{name}, {group}" if group else name
            lines += [row(title, figure, value) for figure, value in part.items()]
        if scene.get("curve"):
            lines.append(f"| {name} | curve | | {_curve(scene['curve'])} | | | |")
    late = [name for name, one in report["scenes"].items() if _late(one)]
    return [*lines, "", f"The driver was late in: {', '.join(late) or 'none'}.", ""]


def row(scene: str, figure: str, value: Mapping[str, Any]) -> str:
    """One figure of one scene."""
    cells = [scene, figure.replace("_", " "), str(value["count"])]
    if "rate" in value:
        low, high = value["interval"] or (0.0, 1.0)
        share = "-" if value["rate"] is None else f"{value['rate'] * 100:.1f} %"
        cells += [share, f"{low * 100:.1f}-{high * 100:.1f} %", "", ""]
    elif value.get("p50_ms") is not None:
        low, high = value["interval_ms"]
        tail = [f"{value[name]:.0f} ms" if name in value else "" for name in ("p90_ms", "p95_ms")]
        cells += [f"{value['p50_ms']:.0f} ms", f"{low:.0f}-{high:.0f} ms", *tail]
    else:
        cells += [f"{value['mean']:.2f}" if "mean" in value else "-", "", "", ""]
    return f"| {' | '.join(cells)} |"


def capacity(report: Mapping[str, Any]) -> list[str]:
    """The curve as a table."""
    lines = [
        "### Capacity",
        "",
        f"{origin(report)}; {report['capacity']} conversations within {report['budget_ms']:.0f} ms"
        " at the 95th percentile (results/capacity.png).",
        "",
        "| conversations | n | p50 | p95 |",
        "|--:|--:|--:|--:|",
    ]
    for level in report["levels"]:
        times = (level["response"]["p50_ms"], level["p95_ms"])
        p50, p95 = ("-" if value is None else f"{value:.0f} ms" for value in times)
        lines.append(f"| {level['sessions']} | {level['response']['count']} | {p50} | {p95} |")
    return [*lines, ""]


def soak(report: Mapping[str, Any]) -> list[str]:
    """One long conversation in a few lines."""
    memory, delay = report["memory_growth_mib"], report["delay_growth_s"]
    return [
        f"### One conversation of {report['minutes']:.0f} minutes",
        "",
        f"{origin(report)}.",
        "",
        f"* {report['turns']} turns, {len(report['unanswered_turns'])} without an answer; "
        f"stalled: {report['metrics'].get('antiphon_stalled_turns_total', 'not known')}",
        f"* memory: {_growth(memory, 'MiB')}",
        f"* response latency: {_growth(delay, 's')}",
        "",
    ]


def _growth(growth: Mapping[str, float] | None, unit: str) -> str:
    if growth is None:
        return "not measured"
    first, last = growth["first"], growth["last"]
    return f"{first:.2f} to {last:.2f} {unit}, {growth['per_hour']:+.2f} {unit} an hour"


def _curve(curve: Mapping[str, Any]) -> str:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value * 100:.1f} %"

    latency = curve["latency_ms_at_5_percent"]
    return (
        f"{share(curve['false_cut_offs_at_300_ms'])} at 300 ms, "
        f"{share(curve['false_cut_offs_at_600_ms'])} at 600 ms, "
        f"5 % at {'-' if latency is None else f'{latency:.0f} ms'}"
    )


def _late(scene: Mapping[str, Any]) -> bool:
    return bool(scene.get("driver", {}).get("late_frames"))


if __name__ == "__main__":
    main()
