"""`python -m benchmarks.capacity`: how many conversations fit the budget?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.driver import CallerLine, play
from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import Material
from benchmarks.percentiles import distribution, percentile
from benchmarks.performance import SPARE
from benchmarks.plots import plot_curve
from benchmarks.scene import SCENES, Trial, build, read_scene
from benchmarks.scene_runner import SceneRunner
from benchmarks.service import service

BUDGET = 0.3  # seconds: the 95th percentile of response latency
_SCENE = SCENES / "turn-taking-spoken.toml"


async def measure(
    line: CallerLine, trials: list[Trial], sessions: int, progress: Progress
) -> dict[str, Any]:
    """One level: so many conversations at a time."""
    tally = SceneRunner(progress, f"{sessions} at a time", len(trials))
    failures = await play(line, trials, tally.take, sessions=sessions)
    return level(sessions, tally.result(failures))


def level(sessions: int, result: dict[str, Any]) -> dict[str, Any]:
    """A point of the curve from one level's result."""
    latencies = [o["response"] for o in result["outcomes"] if o.get("response") is not None]
    return {
        "sessions": sessions,
        "trials": result["trials"],
        "answered": result["figures"].get("answered"),
        "response": distribution(latencies),
        "p95_ms": percentile(latencies, 95),
        "failed_calls": result["failed_calls"],
        "driver": result["driver"],
    }


def is_within(point: dict[str, Any]) -> bool:
    """All calls were made, and the 95th percentile is inside the budget."""
    p95 = point["p95_ms"]
    return p95 is not None and p95 <= BUDGET * 1000 and not point["failed_calls"]


def is_overloaded(point: dict[str, Any]) -> bool:
    """Calls were refused, or even the median is over the budget: more of them say nothing new."""
    p50 = point["response"]["p50_ms"]
    return bool(point["failed_calls"]) or p50 is None or p50 > BUDGET * 1000


def capacity(points: list[dict[str, Any]]) -> int:
    """The largest level before the first that is over the budget; 0 if the first one is."""
    fit = 0
    for point in sorted(points, key=lambda one: int(one["sessions"])):
        if not is_within(point):
            break
        fit = int(point["sessions"])
    return fit


def curves(points: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Median and 95th percentile at each level."""
    found = {
        "median": [(p["sessions"], p["response"]["p50_ms"]) for p in points],
        "95th percentile": [(p["sessions"], p["p95_ms"]) for p in points],
    }
    return {name: [one for one in line if one[1] is not None] for name, line in found.items()}


def main(
    levels: Annotated[str, typer.Option(help="Conversations at a time.")] = "1,2,3,4,6,8,12,16",
    trials: Annotated[
        int, typer.Option("--trials", "--limit", min=1, help="Questions at each level.")
    ] = 100,
    url: Annotated[str | None, typer.Option(help="A running server; else one is started.")] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON and the plot go.")] = RESULTS,
) -> None:
    """Raise the number of conversations until the median of the response latency passes 300 ms; the
    capacity is the last number at which the 95th percentile did not."""
    console = Console()
    wanted = sorted({int(part) for part in levels.split(",")})
    material, scene = Material(None, "dev"), read_scene(_SCENE)
    points: list[dict[str, Any]] = []
    with (
        service(url, "--sessions-per-pair", str(wanted[-1] + SPARE)) as line,
        Progress(console=console) as progress,
    ):
        for sessions in wanted:
            plan = build(scene, material, limit=trials)
            points.append(asyncio.run(measure(line, plan, sessions, progress)))
            if is_overloaded(points[-1]):
                break
    report = header() | {"budget_ms": BUDGET * 1000, "capacity": capacity(points), "levels": points}
    out.mkdir(parents=True, exist_ok=True)
    (out / "capacity.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    labels = ("conversations at a time", "response latency, ms")
    plot_curve(curves(points), labels, out / "capacity.png", budget=BUDGET * 1000)
    console.print(table(points))
    console.print(f"capacity: {report['capacity']} conversations")


def table(points: list[dict[str, Any]]) -> Table:
    """One row a level."""
    view = Table(title="capacity", title_justify="left")
    for name in ("conversations", "n", "answered", "p50", "p95", "driver late"):
        view.add_column(name, justify="right")
    for point in points:
        answered = point["answered"]["rate"] if point["answered"] else None
        p50, p95 = point["response"]["p50_ms"], point["p95_ms"]
        view.add_row(
            str(point["sessions"]),
            str(point["response"]["count"]),
            "-" if answered is None else f"{answered * 100:.0f} %",
            "-" if p50 is None else f"{p50:.0f} ms",
            "-" if p95 is None else f"{p95:.0f} ms",
            str(point["driver"]["late_frames"]),
        )
    return view


if __name__ == "__main__":
    typer.run(main)
