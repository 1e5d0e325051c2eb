"""One kind of result as a passage of Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def origin(report: Mapping[str, Any]) -> str:
    """Where, of what and when something was measured."""
    load, when = report["machine"]["load_1min"], report["measured_at"]
    return f"{setting(report)}; load {load}, {when}"


def setting(report: Mapping[str, Any]) -> str:
    """Where and of what something was measured."""
    machine = report["machine"]
    cores = "1 core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    model = f", model {report['model']}" if "model" in report else ""
    split = f"; recordings: {report['split']}" if "split" in report else ""
    return (
        f"{machine['processor']}, {cores}, {machine['memory_gib']} GiB{model}, "
        f"commit {report['commit']}{split}"
    )


def duplex(report: Mapping[str, Any]) -> list[str]:
    """One table for each scene."""
    lines = [f"## {report['sessions']} conversation(s) at a time", ""]
    for name, scene in report["scenes"].items():
        lines += [f"### {name}", "", f"{origin(scene['origin'])}.", ""]
        if "skipped" in scene:
            lines += [f"skipped: {scene['skipped']}", ""]
            continue
        lines += ["| figure | n | value | 95 % interval | p90 | p95 |", "|---|--:|--:|--:|--:|--:|"]
        for group, figures in ({"": scene["figures"]} | scene.get("groups", {})).items():
            lines += [row(group, figure, value) for figure, value in figures.items()]
        lines += ["", *remarks(scene), ""]
    return lines


def row(group: str, figure: str, value: Mapping[str, Any]) -> str:
    """One figure of one scene, or of one group of its trials."""
    name = figure.replace("_", " ")
    cells = [f"{group}: {name}" if group else name, str(value["count"])]
    if "rate" in value:
        low, high = value["interval"] or (0.0, 1.0)
        share = "-" if value["rate"] is None else f"{value['rate'] * 100:.1f} %"
        cells += [share, f"{low * 100:.1f}-{high * 100:.1f} %", "", ""]
    elif value.get("p50_ms") is not None:
        low, high = value["interval_ms"]
        tail = [f"{value[name]:.0f} ms" if name in value else "" for name in ("p90_ms", "p95_ms")]
        cells += [f"{value['p50_ms']:.0f} ms", f"{low:.0f}-{high:.0f} ms", *tail]
    else:
        mean = f"{value['mean']:.2f}" if "mean" in value else "-"
        cells += [mean, f"worst {value['worst']:.2f}" if "worst" in value else "", "", ""]
    return f"| {' | '.join(cells)} |"


def remarks(scene: Mapping[str, Any]) -> list[str]:
    """What qualifies the figures of a scene."""
    lines = []
    reasons = scene.get("accounts", {}).get("reasons") or scene.get("reasons", {})
    if reasons:
        shown = ", ".join(f"{count} {name}" for name, count in reasons.items())
        lines.append(f"* segments by reason: {shown}")
    accounts = scene.get("accounts", {})
    if accounts.get("sessions"):
        lines.append(
            f"* {accounts['segments']} segments in {accounts['sessions']} sessions, unbalanced: "
            f"{len(accounts['unbalanced'])}, replayed otherwise: "
            f"{len(accounts['replayed_otherwise'])}"
        )
    swap = accounts.get("swap", {})
    if swap.get("p50_ms") is not None:
        lines.append(f"* first token after a swap: p50 {swap['p50_ms']:.0f} ms (n {swap['count']})")
    late = scene.get("driver", {})
    if late.get("late_frames"):
        lines.append(
            f"* the driver was late {late['late_frames']} times, worst {late['worst_ms']} ms"
        )
    return lines + [f"* call {call}" for call in scene.get("failed_calls", [])]


def public_row(scenes: Mapping[str, Any]) -> str:
    """Our cells in the table of Full-Duplex-Bench."""

    def of(scene: str, figure: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = scenes.get(scene, {}).get("figures", {}).get(figure, {})
        return found

    def share(scene: str) -> str:
        figure = of(scene, "takeover")
        return f"{figure['rate']:.3f} (n {figure['count']})" if figure.get("count") else "-"

    def seconds(scene: str) -> str:
        mean = of(scene, "takeover_latency").get("mean_ms")
        return "-" if mean is None else f"{mean / 1000:.3f}"

    turns = "turn-taking"
    cells = [share("pause-spoken"), share("pause"), share("talk-in-silence"), share(turns)]
    cells += [seconds(turns), share("interruption"), seconds("interruption")]
    return " | ".join(cells)


def capacity(report: Mapping[str, Any]) -> list[str]:
    """The curve as a table."""
    lines = [
        "### Capacity",
        "",
        f"{origin(report)}; {report['capacity']} conversations within {report['budget_ms']:.0f} ms"
        f" at the 95th percentile, {_in_the_median(report)} in the median (results/capacity.png).",
        "",
        "| conversations | n | p50 | p95 |",
        "|--:|--:|--:|--:|",
    ]
    for level in report["levels"]:
        times = (level["response"]["p50_ms"], level["p95_ms"])
        p50, p95 = ("-" if value is None else f"{value:.0f} ms" for value in times)
        lines.append(f"| {level['sessions']} | {level['response']['count']} | {p50} | {p95} |")
    return [*lines, ""]


def _in_the_median(report: Mapping[str, Any]) -> int:
    """The largest level whose median is within the budget; 0 if there is none."""
    fit = [
        level["sessions"]
        for level in report["levels"]
        if (level["response"]["p50_ms"] or math.inf) <= report["budget_ms"]
    ]
    return int(max(fit, default=0))


def swap(report: Mapping[str, Any]) -> list[str]:
    """Barge-ins over instances that obey, and over such as ignore a cancelled answer."""
    lines = [
        f"### Two barge-ins while the old generator is stuck for {report['stuck_seconds']:.0f} s",
        "",
        f"{origin(report)}.",
        "",
        "| instances | barge-in | trials | answered | stop p50 | p90 | response p50 | p90 |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in ("obedient", "stuck"):
        for which, found in report[name].items():
            times = [
                found[kind].get(p) for kind in ("stop", "response") for p in ("p50_ms", "p90_ms")
            ]
            cells = " | ".join("-" if one is None else f"{one:.0f} ms" for one in times)
            hits = f"{found['over_an_answer']} | {found['answered']['hits']}"
            lines.append(f"| {name} | {which} | {hits} | {cells} |")
    return [*lines, ""]


def end_of_turn(report: Mapping[str, Any]) -> list[str]:
    """Two judges of the same cuts of people's orders, side by side."""
    lines = [
        "### Has the speaker finished? On the same cuts as Smart Turn",
        "",
        f"{origin(report)}. {report['orders']} orders of people, each at its end and in its "
        "longest gap; a gap behind what could be a whole order is counted apart.",
        "",
        "| | ends taken | gaps taken for ends | gaps behind whole orders | silence, p50 / p90 | "
        "CPU a decision |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in (
        ("antiphon", "nano and the core's rule"),
        ("smart_turn", "Smart Turn v3.2"),
    ):
        if (found := report.get(name)) is None:
            continue
        shares = " | ".join(
            f"{found[kind]['hits']} of {found[kind]['count']}"
            for kind in ("ends_taken", "pauses_taken", "whole_pauses_taken")
        )
        waited, cpu = found["silence_before_end"], found["cpu"]["p50_ms"]
        lines.append(
            f"| {title} | {shares} | {waited['p50_ms']:.0f} / {waited['p90_ms']:.0f} ms | "
            f"{cpu:.0f} ms |"
        )
    return [*lines, ""]


def soak(report: Mapping[str, Any]) -> list[str]:
    """One long conversation in a few lines."""
    memory, delay = report["memory_growth_mib"], report["delay_growth_s"]
    breaks = report.get("breaks", [])
    return [
        f"### One conversation of {report['minutes']:.0f} minutes",
        "",
        f"{origin(report)}.",
        "",
        f"* {report['seconds'] / 60:.1f} minutes talked; the line broke {len(breaks)} times"
        f"{''.join('; ' + one['reason'] for one in breaks)}",
        f"* {report['turns']} turns, {len(report['unanswered_turns'])} without an answer; "
        f"stalled: {report['metrics'].get('antiphon_stalled_turns_total', 'not known')}",
        f"* memory: {_growth(memory, 'MiB')}",
        f"* response latency: {_growth(delay, 's')}",
        "",
    ]


def neighbour(report: Mapping[str, Any]) -> list[str]:
    """A conversation beside attacks in a few lines."""
    attacks, missed = report["periods"][1:], report["missed"]
    return [
        "### A conversation beside attacks",
        "",
        f"{setting(report)}; {len(attacks)} attacks: [table and picture](results/neighbour.md).",
        "",
        *([f"* {each}" for each in missed] or ["* every goal was met"]),
        "",
    ]


def talkers(report: Mapping[str, Any]) -> list[str]:
    """Four talking clients beside an attacker in a few lines."""
    talk, (before, after) = report["talk"], report["held"]
    held = ", ".join(f"{name} {before[name]:.0f} to {after[name]:.0f}" for name in before)
    return [
        f"### Four talking clients beside an attacker, {report['minutes']:.0f} minutes",
        "",
        f"{setting(report)}.",
        "",
        f"* {talk['calls']} calls, {talk['hang_ups']} cut in the middle; {talk['turns']} turns, "
        f"{talk['interruptions']} over an answer; {len(talk['silent'])} silent",
        f"* held by the server before and after: {held} MiB",
        *(f"* {each}" for each in report["faults"]),
        "",
    ]


def _growth(growth: Mapping[str, Any] | None, unit: str) -> str:
    if growth is None:
        return "not measured"
    first, last = growth["first"], growth["last"]
    text = f"{first:.2f} to {last:.2f} {unit}, {growth['per_hour']:+.2f} {unit} an hour"
    if growth.get("interval") is None:
        return text
    low, high = growth["interval"]
    return f"{text} ({low:+.2f} to {high:+.2f})"
