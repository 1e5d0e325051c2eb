"""The measuring room: `python -m benchmarks.duplex` plays scenes through a server and scores."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.driver import Failure, Line, play
from benchmarks.heard import Cuts
from benchmarks.machine import header
from benchmarks.material import Material, MissingMaterial, find_data
from benchmarks.outcomes import reasons, score
from benchmarks.plots import plot_curve, plot_latencies, plot_rates
from benchmarks.public import public_trial, read_samples, score_public, write_output
from benchmarks.results import curve, summarise, table
from benchmarks.resume import Resumes
from benchmarks.scene import Trial, build, read_scenes
from benchmarks.service import service
from server.call.caller import Caller
from server.call.record import Record

RESULTS = Path(__file__).parent / "results"
_LATENCIES = ("response", "stop", "interruption", "duck", "commit")


class Tally:
    """What the trials of one scene have said so far."""

    def __init__(self, progress: Progress, title: str, count: int) -> None:
        self.outcomes: list[dict[str, Any]] = []
        self.reasons: dict[str, int] = {}
        self.late = 0
        self.worst = 0.0
        self._afterwards: dict[str, Cuts | Resumes] = {}
        self._progress, self._task = progress, progress.add_task(title, total=count)
        self.outputs: Path | None = None

    async def take(self, trial: Trial, record: Record, caller: Caller) -> None:
        """Score one record, its line still open."""
        self._progress.advance(self._task)
        self.late += record.lateness.late
        self.worst = max(self.worst, record.lateness.worst)
        for reason, count in reasons(record).items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        if trial.score in ("history", "resume"):
            kind: type[Cuts | Resumes] = Cuts if trial.score == "history" else Resumes
            await self._afterwards.setdefault(trial.score, kind()).take(trial, record, caller)
        elif "sample" in trial.facts:
            self.outcomes.append(score_public(trial, record))
            if self.outputs is not None:
                write_output(trial.facts["sample"], record, self.outputs)
        else:
            clips = [cue.clip.name for cue, _ in record.cues]
            facts = {"group": trial.group, "number": trial.number, "clips": clips}
            self.outcomes.append(score(trial, record) | facts)

    async def finish(self, line: Line) -> None:
        """Judge what could not be judged from one call alone."""
        for afterwards in self._afterwards.values():
            self.outcomes += await afterwards.judge(line)

    def result(self, failures: list[Failure]) -> dict[str, Any]:
        """Figures, reasons, and how far they can be trusted."""
        return summarise(self.outcomes) | {
            "reasons": self.reasons,
            "failed_calls": [f"{one.trial.number}: {one.reason}" for one in failures],
            "driver": {"late_frames": self.late, "worst_ms": round(self.worst * 1000, 1)},
            "outcomes": self.outcomes,
        }


async def measure(
    line: Line,
    trials: list[Trial],
    progress: Progress,
    *,
    title: str,
    sessions: int,
    outputs: Path | None = None,
) -> dict[str, Any]:
    """Play the trials of one scene and give its result."""
    tally = Tally(progress, title, len(trials))
    tally.outputs = outputs
    failures = await play(line, trials, tally.take, sessions=sessions)
    await tally.finish(line)
    result = tally.result(failures)
    if trials and trials[0].score == "endpoint":
        result["curve"] = curve(result.get("groups", {}))
    return result


def main(
    only: Annotated[list[str] | None, typer.Argument(help="Scenes to play; all if none.")] = None,
    sessions: Annotated[int, typer.Option(min=1, help="Conversations at a time.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Trials of each scene.")] = None,
    split: Annotated[str, typer.Option(help="Part of the manifest: train, dev, all.")] = "dev",
    data: Annotated[Path | None, typer.Option(help="Data folder (else ANTIPHON_DATA).")] = None,
    url: Annotated[str | None, typer.Option(help="A running server; else one is started.")] = None,
    seed: Annotated[int, typer.Option(help="Another draw of the same scenes.")] = 0,
    public: Annotated[Path | None, typer.Option(help="Play this Full-Duplex-Bench.")] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON and the plots go.")] = RESULTS,
) -> None:
    """Play scenes through a real server at playing speed and score them."""
    console = Console()
    try:
        material = Material(find_data(data), split)
    except MissingMaterial as missing:
        raise typer.BadParameter(str(missing)) from missing
    scenes: dict[str, Any] = {}
    with service(url) as line, Progress(console=console) as progress:
        for name, trials in _plans(material, only or [], seed, limit, public):
            if isinstance(trials, str):
                scenes[name] = {"skipped": trials}
                continue
            outputs = out / "full-duplex-bench" if public else None
            scenes[name] = asyncio.run(
                measure(line, trials, progress, title=name, sessions=sessions, outputs=outputs)
            )
    report = header(sessions=sessions, split=split, seed=seed) | {"scenes": scenes}
    write(report, out / f"duplex-{sessions}.json")
    console.print(table(scenes))
    _warn(console, scenes)


def _plans(
    material: Material, only: list[str], seed: int, limit: int | None, public: Path | None
) -> list[tuple[str, list[Trial] | str]]:
    """Each scene's name with its trials, or with the reason why it cannot be played here."""
    if public is not None:
        samples = read_samples(public)[:limit]
        return [("full-duplex-bench", [public_trial(s, n) for n, s in enumerate(samples)])]
    scenes = [scene for scene in read_scenes() if not only or scene.name in only]
    if missing := set(only) - {scene.name for scene in scenes}:
        raise typer.BadParameter(f"no such scene: {', '.join(sorted(missing))}")
    plans: list[tuple[str, list[Trial] | str]] = []
    for scene in scenes:
        try:
            plans.append((scene.name, build(scene, material, seed=seed, limit=limit)))
        except MissingMaterial as missing_material:
            plans.append((scene.name, str(missing_material)))
    return plans


def write(report: dict[str, Any], path: Path) -> None:
    """The JSON and, beside it, the plots."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    scenes = {name: one for name, one in report["scenes"].items() if "skipped" not in one}
    plot_latencies(_latencies(scenes), path.with_name(f"{path.stem}-latency.png"))
    plot_rates(_rates(scenes), path.with_name(f"{path.stem}-rates.png"))
    for name, one in scenes.items():
        if one.get("curve", {}).get("points"):
            points = [(p["latency_ms"], p["false_cut_offs"] * 100) for p in one["curve"]["points"]]
            labels = ("latency at the end of a turn, ms", "false cut-offs, %")
            plot_curve(points, labels, path.with_name(f"{path.stem}-{name}.png"), five_percent=5.0)


def _latencies(scenes: Mapping[str, Any]) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for name, one in scenes.items():
        for latency in _LATENCIES:
            values = [o[latency] for o in one["outcomes"] if o.get(latency) is not None]
            if values:
                columns[f"{name}: {latency}"] = values
    return columns


def _rates(scenes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}: {title.replace('_', ' ')}": figure
        for name, one in scenes.items()
        for title, figure in one["figures"].items()
        if "rate" in figure
    }


def _warn(console: Console, scenes: Mapping[str, Any]) -> None:
    for name, one in scenes.items():
        if one.get("driver", {}).get("late_frames"):
            worst = one["driver"]["worst_ms"]
            console.print(f"{name}: the driver itself was late (worst {worst} ms)", style="yellow")
        for failure in one.get("failed_calls", []):
            console.print(f"{name}: call {failure}", style="red", markup=False)


if __name__ == "__main__":
    typer.run(main)
