"""`python -m benchmarks.page` writes our figures into README.md from results/.

No figure gets there by hand: what was not measured is not there. README.md has the goals, results/
README.md each figure of each scene.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import cell, read_goals
from benchmarks.markdown import (
    capacity,
    duplex,
    end_of_turn,
    neighbour,
    public_row,
    setting,
    soak,
    swap,
    talkers,
)
from benchmarks.scene import read_scenes

FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- ours: written by benchmarks.page -->", "<!-- end -->"

Reports = Mapping[int, Mapping[str, Any]]  # by conversations at a time


def main(folder: Path = FOLDER) -> None:
    """Replace the part between the marks, and write the page of all figures."""
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    results = folder / "results"
    reports = read_reports(results)
    page.write_text(f"{before}{_BEGIN}\n{section(results, reports)}\n{_END}{after}", "utf-8")
    if reports:
        (results / "README.md").write_text(details(reports), encoding="utf-8")


def read_reports(results: Path) -> Reports:
    """All results of scenes, fewest conversations first."""
    found = [json.loads(at.read_text(encoding="utf-8")) for at in results.glob("duplex-*.json")]
    return {one["sessions"]: one for one in sorted(found, key=lambda one: int(one["sessions"]))}


def section(results: Path, reports: Reports) -> str:
    """Our figures as Markdown."""
    parts = ["## Our figures", ""]
    if reports:
        parts += against_goals(reports) + curves(reports) + axes(reports) + books(reports)
        parts += pictures(results, reports)
    passages = {
        "end_of_turn": end_of_turn,
        "capacity": capacity,
        "swap": swap,
        "soak": soak,
        "neighbour": neighbour,
        "talkers": talkers,
    }
    for name, passage in passages.items():
        if (results / f"{name}.json").is_file():
            parts += passage(json.loads((results / f"{name}.json").read_text(encoding="utf-8")))
    return "\n".join(parts if len(parts) > 2 else [*parts, "Not measured yet."])


def against_goals(reports: Reports) -> list[str]:
    """One row for each goal, one column for each number of conversations."""
    titles = [f"{count} at a time" for count in reports]
    lines = [
        "Share or percentile, in brackets hits and trials with the 95 % interval; **bold**: the "
        "goal is missed. Every figure of every scene, with its origin: "
        "[results/README.md](results/README.md).",
        "",
        f"| | goal | {' | '.join(titles)} |",
        f"|---|---|{'---|' * len(titles)}",
    ]
    for goal in read_goals():
        cells = [
            "spoiled: the driver was late"
            if goal.is_spoiled(one["scenes"])
            else cell(goal, goal.measured(one["scenes"]))
            for one in reports.values()
        ]
        lines.append(f"| {goal.what} | {goal.bound()} | {' | '.join(cells)} |")
    played = {name for one in reports.values() for name in one["scenes"]}
    missing = [scene.name for scene in read_scenes() if scene.name not in played]
    if missing:
        lines += ["", f"Not played with these weights: {', '.join(missing)}."]
    return [*lines, "", *origins(reports), ""]


def origins(reports: Reports) -> list[str]:
    """Of what and on what the scenes were measured, each only once, with the span of load and
    time."""
    lines = []
    for count, report in reports.items():
        found: dict[str, list[Mapping[str, Any]]] = {}
        for scene in report["scenes"].values():
            found.setdefault(setting(scene["origin"]), []).append(scene["origin"])
        for name, alike in sorted(found.items()):
            load = spanned([one["machine"]["load_1min"] for one in alike])
            when = spanned([one["measured_at"] for one in alike])
            lines.append(f"* {count} at a time: {name}; scenes: {len(alike)}, load {load}, {when}")
    return lines


def spanned(values: Sequence[Any]) -> str:
    """The least and the greatest, or the one that all are."""
    least, greatest = min(values), max(values)
    return f"{least}" if least == greatest else f"{least} to {greatest}"


def curves(reports: Reports) -> list[str]:
    """The end-of-turn curve, beside plain voice activity in the same scene."""
    lines: list[str] = []
    for count, report in reports.items():
        scene = report["scenes"].get("end-of-turn", {})
        if not scene.get("curve"):
            continue
        if not lines:
            lines = [
                "End of turn, people's orders (a false cut-off: the turn was taken to be over at "
                "one of the pauses inside it; latency to the commit, median):",
                "",
                "| conversations | setting | n | false cut-offs | latency p50 | not ended |",
                "|--:|---|--:|--:|--:|--:|",
            ]
        for name, group in scene["groups"].items():
            cut, commit = group["false_cut_off"], group.get("commit", {})
            latency = "-" if commit.get("p50_ms") is None else f"{commit['p50_ms']:.0f} ms"
            missing = f"{(1 - group['ended']['rate']) * 100:.1f} %"
            lines.append(
                f"| {count} | {name} | {cut['count']} | {cut['rate'] * 100:.1f} % | {latency} "
                f"| {missing} |"
            )
    return [*lines, ""] if lines else []


def axes(reports: Reports) -> list[str]:
    """Full-Duplex-Bench's four axes by its own definitions, on our scenes."""
    lines = [
        "Full-Duplex-Bench's axes by its own definitions (takeover rate; mean latency), on our "
        "scenes. The assistant never makes a backchannel of its own, so their frequency is 0 and "
        "their distance from people's 1, by definition:",
        "",
        "| conversations | pauses, broken-off | pauses, people | backchannel | turn-taking "
        "| latency | interruption | latency |",
        "|--:|---|---|---|---|---|---|---|",
    ]
    rows = [f"| {count} | {public_row(one['scenes'])} |" for count, one in reports.items()]
    return [*lines, *rows, ""]


def books(reports: Reports) -> list[str]:
    """Is every segment of every session accounted for?"""
    accounts = [
        scene["accounts"]
        for report in reports.values()
        for scene in report["scenes"].values()
        if scene.get("accounts", {}).get("sessions")
    ]
    if not accounts:
        return []
    sessions, segments = (sum(one[key] for one in accounts) for key in ("sessions", "segments"))
    unbalanced, otherwise = (
        sum(len(one[key]) for one in accounts) for key in ("unbalanced", "replayed_otherwise")
    )
    speculations = {
        key: sum(one["speculations"].get(key, 0) for one in accounts)
        for key in ("confirmed", "dropped")
    }
    return [
        f"Books: {segments} segments in {sessions} sessions; sessions in which a segment has not "
        f"exactly one reason: {unbalanced}; sessions whose trace today's core would write "
        f"otherwise: {otherwise}. Answers begun before the turn was over: "
        f"{speculations['confirmed']} confirmed, {speculations['dropped']} dropped and rewound.",
        "",
    ]


def pictures(results: Path, reports: Reports) -> list[str]:
    """The distributions, drawn."""
    lines = []
    for count in reports:
        for name in ("response", "interruption", "stop", "duck", "end-of-turn"):
            path = results / f"duplex-{count}-{name}.png"
            if path.is_file():
                lines += [f"![{name}, {count} at a time](results/{path.name})", ""]
    return lines


def details(reports: Reports) -> str:
    """Each figure of each scene."""
    parts = ["# Every figure", "", "Written by `python -m benchmarks.page`.", ""]
    for report in reports.values():
        parts += duplex(report)
    return "\n".join(parts)


if __name__ == "__main__":
    main()
