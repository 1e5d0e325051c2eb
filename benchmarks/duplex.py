"""`python -m benchmarks.duplex` plays scenes through a server and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.machine import header
from benchmarks.material import Material, MissingMaterial, find_data
from benchmarks.performance import Plan, disorders, perform
from benchmarks.public import public_trial, read_samples
from benchmarks.results import table
from benchmarks.results_io import merge
from benchmarks.scene import build, read_scenes

RESULTS = Path(__file__).parent / "results"


def main(
    only: Annotated[
        list[str] | None, typer.Argument(help="Scenes to play (SCENE or SCENE:TRIALS); all if none")
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, help="Conversations at a time.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Trials of each scene.")] = None,
    split: Annotated[str, typer.Option(help="Part of the manifest: train, dev, all.")] = "dev",
    data: Annotated[Path | None, typer.Option(help="Data folder (else ANTIPHON_DATA).")] = None,
    url: Annotated[str | None, typer.Option(help="A running server; else one is started.")] = None,
    seed: Annotated[int, typer.Option(help="Another draw of the same scenes.")] = 0,
    public: Annotated[Path | None, typer.Option(help="Play this Full-Duplex-Bench.")] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON and the plots go.")] = RESULTS,
    traces: Annotated[Path | None, typer.Option(help="Keep the server's traces here.")] = None,
) -> None:
    """Play scenes through a real server at playing speed and score them."""
    console = Console()
    try:
        material = Material(find_data(data), split)
    except MissingMaterial as missing:
        raise typer.BadParameter(str(missing)) from missing
    plans = _plans(material, only or [], seed, limit, public)
    outputs = out / "full-duplex-bench" if public else None
    scenes = perform(plans, console, sessions=sessions, url=url, traces=traces, outputs=outputs)
    merge(out / f"duplex-{sessions}.json", sessions, header(split=split, seed=seed), scenes)
    console.print(table(scenes))
    for name, one in scenes.items():
        if one.get("driver", {}).get("late_frames"):
            worst = one["driver"]["worst_ms"]
            console.print(f"{name}: the driver itself was late (worst {worst} ms)", style="yellow")
    for text in disorders(scenes):
        console.print(text, style="red", markup=False)


def _plans(
    material: Material, only: list[str], seed: int, limit: int | None, public: Path | None
) -> list[Plan]:
    """Each scene's name with its trials, or with the reason why it cannot be played here."""
    if public is not None:
        samples = read_samples(public)[:limit]
        return [("full-duplex-bench", [public_trial(s, n) for n, s in enumerate(samples)])]
    scenes = {scene.name: scene for scene in read_scenes()}
    wanted = [_asked(entry, limit) for entry in only] or [(name, limit) for name in scenes]
    if missing := {name for name, _ in wanted} - set(scenes):
        raise typer.BadParameter(f"no such scene: {', '.join(sorted(missing))}")
    plans: list[Plan] = []
    for name, most in wanted:
        scene = scenes[name]
        try:
            plans.append((scene.name, build(scene, material, seed=seed, limit=most)))
        except MissingMaterial as missing_material:
            plans.append((scene.name, str(missing_material)))
    return plans


def _asked(entry: str, limit: int | None) -> tuple[str, int | None]:
    """`SCENE` or `SCENE:TRIALS`."""
    name, colon, count = entry.partition(":")
    if colon and not (count.isdecimal() and int(count)):
        raise typer.BadParameter(f"{entry}: SCENE:TRIALS is wanted, as in echo:20")
    return name, int(count) if colon else limit


if __name__ == "__main__":
    typer.run(main)
