"""`python -m benchmarks.fleet`: how many servers a day of calls needs, and with which buffer.

`plan` simulates a day (benchmarks.fleet_model) for several buffers, and says which is enough.
`validate` measures three real servers behind HAProxy, predicts what calls will meet with, and makes
the calls: refusals and waiting must agree within a fifth before the simulation is believed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.duplex import RESULTS
from benchmarks.fleet_check import check
from benchmarks.fleet_model import FleetModel, FleetOutcome, FleetPlan, Times
from benchmarks.machine import header
from benchmarks.restarts import NotInstalled, fleet

# Calls of each hour as a share of the busiest: an office day with an evening.
DAY = (4, 3, 2, 2, 3, 6, 15, 35, 65, 90, 100, 97, 80, 85, 95, 93, 85, 70, 55, 45, 35, 22, 12, 7)
ENOUGH = 0.001  # share of callers who give up that is taken as none
_HOUR = 3600.0
app = typer.Typer(add_completion=False)


# ---------------------------------------------------------------------------------------- plan


def day(peak: int, mean: float, spread: float, seed: int) -> Iterator[tuple[Times, Times]]:
    """A day of calls, a minute at a time. `peak`: calls at a time in the busiest hour; `mean`
    seconds of a call; `spread`: the standard deviation of its logarithm."""
    random = np.random.default_rng(seed)
    centre = np.log(mean) - spread**2 / 2
    hours = np.arange(len(DAY) + 1) * _HOUR
    shares = np.array((*DAY, DAY[0])) / max(DAY)
    for minute in range(24 * 60):
        share = float(np.interp(minute * 60, hours, shares))
        count = random.poisson(peak / mean * share * 60)
        arrivals = np.sort(random.uniform(minute * 60, minute * 60 + 60, count))
        yield arrivals, random.lognormal(centre, spread, count)


def buffers(places: int, peak: int) -> list[int]:
    """What is tried: from nothing to a tenth of the busiest hour."""
    shares = (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
    return sorted({max(places, round(peak * share)) if share else 0 for share in shares})


@app.command()
def plan(
    peak: Annotated[int, typer.Option(min=1, help="Calls at a time, busiest hour.")] = 1000,
    places: Annotated[int, typer.Option(min=1, help="Calls a server takes.")] = 8,
    start: Annotated[float, typer.Option(help="Seconds until a new server takes calls.")] = 90.0,
    mean: Annotated[float, typer.Option(help="Seconds of a call, on average.")] = 300.0,
    spread: Annotated[float, typer.Option(help="Deviation of a call's logarithm.")] = 1.0,
    drain: Annotated[float, typer.Option(help="Seconds that a server waits for calls.")] = 1800.0,
    seed: int = 0,
    out: Annotated[Path, typer.Option(help="Where the JSON and the plot go.")] = RESULTS,
) -> None:
    """Simulate a day with several buffers and print what each costs."""
    console = Console()
    asked = FleetPlan(places=places, start=start, drain=drain)
    table = Table("buffer", "refused tries", "gave up", "idle", "servers at most", "handed over")
    rows: list[dict[str, Any]] = []
    outcomes: dict[int, FleetOutcome] = {}
    for buffer in buffers(places, peak):
        calls = day(peak, mean, spread, seed)
        outcome = FleetModel(replace(asked, buffer=buffer), seed).run(calls)
        outcomes[buffer] = outcome
        rows.append(_row(buffer, outcome))
        table.add_row(*(str(value) for value in rows[-1].values()))
    console.print(table)
    good = [buffer for buffer, each in outcomes.items() if each.given_up_share <= ENOUGH]
    chosen = min(good) if good else max(outcomes)
    said = f"buffer {chosen}" if good else "no buffer tried is enough"
    console.print(f"{said}: fewer than {ENOUGH:.1%} of the callers give up")
    out.mkdir(parents=True, exist_ok=True)
    report = header(peak=peak, mean_s=mean, spread=spread, plan=asdict(asked))
    report |= {"buffers": rows, "chosen": chosen if good else None}
    (out / "fleet.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    plot(outcomes[chosen], out / "fleet.png", f"{peak} calls at a time, buffer {chosen}")


def _row(buffer: int, outcome: FleetOutcome) -> dict[str, Any]:
    return {
        "buffer": buffer,
        "refused_tries": f"{outcome.refusal_share:.3%}",
        "gave_up": f"{outcome.given_up_share:.3%}",
        "idle": f"{outcome.idle_share:.1%}",
        "servers_at_most": max(outcome.running, default=0),
        "handed_over": outcome.handed_over,
    }


def plot(outcome: FleetOutcome, path: Path, title: str) -> None:
    """Calls and places over the day."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    hours = np.arange(len(outcome.calls)) / 60
    figure, axes = pyplot.subplots(figsize=(9, 3.6))
    axes.plot(hours, outcome.taking, color="tab:green", label="places that take calls")
    axes.plot(hours, outcome.calls, color="tab:blue", label="calls")
    axes.set_xlabel("hour of the day")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


# ------------------------------------------------------------------------------------ validate


@app.command()
def validate(
    seconds: Annotated[float, typer.Option(help="Of arrivals, for each seed.")] = 120.0,
    load: Annotated[float, typer.Option(help="Calls offered, as a share of all places.")] = 1.1,
    mean: Annotated[float, typer.Option(help="Seconds of a call, on average.")] = 4.0,
    places: Annotated[int, typer.Option(help="Of each of the three servers.")] = 4,
    module: Annotated[str, typer.Option(help="What serves: `python -m MODULE`.")] = "server serve",
    seeds: Annotated[str, typer.Option(help="Of calls, with commas between.")] = "1,2,3",
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
) -> None:
    """Measure three real servers, predict what calls of these seeds meet with, and make them."""
    console = Console()

    async def run() -> dict[str, Any]:
        async with fleet(module, places, drain=1.0) as running:
            numbers = [int(seed) for seed in seeds.split(",")]
            return await check(running, numbers, seconds, load, mean)

    try:
        found = asyncio.run(run())
    except NotInstalled as lacks:
        console.print(str(lacks), style="red")
        raise typer.Exit(1) from None
    console.print(f"measured beforehand: {found['properties']}")
    for name, row in found["all"].items():
        console.print(f"{name}: real {row['real']}, simulated {row['simulated']}")
    report = header(seconds=seconds, load=load, mean_s=mean, module=module) | found
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1) + "\n"
    (out / "fleet-validation.json").write_text(text, encoding="utf-8")
    if not all(row["agrees"] for row in found["all"].values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
