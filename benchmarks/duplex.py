"""`python -m benchmarks.duplex` plays scenes through a server and scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import orjson
import typer
from rich.console import Console

from benchmarks.machine import header
from benchmarks.material import Material, MissingMaterial, find_data
from benchmarks.performance import Plan, disorders, perform
from benchmarks.public import public_trial, read_samples
from benchmarks.results import table
from benchmarks.results_io import merge
from benchmarks.scene import build, read_scenes
from benchmarks.service import scripted_address
from benchmarks.stages import plot_stages, read_stages, summary

RESULTS = Path(__file__).parent / "results"
CASCADE = "cascade"


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
    engine: Annotated[str, typer.Option(help="auto, or cascade.")] = "auto",
    llm: Annotated[
        str | None, typer.Option(help="For cascade: an address; else a scripted one, 60 ms.")
    ] = None,
    llm_model: Annotated[str, typer.Option(help="The model's name at that address.")] = "scripted",
) -> None:
    """Play scenes through a real server at playing speed and score them."""
    console = Console()
    try:
        material = Material(find_data(data), split)
    except MissingMaterial as missing:
        raise typer.BadParameter(str(missing)) from missing
    plans = _plans(material, only or [], seed, limit, public)
    outputs = out / "full-duplex-bench" if public else None
    with _server_of(engine, llm, llm_model) as serving, TemporaryDirectory() as folder:
        kept = traces or Path(folder)
        scenes = perform(
            plans,
            console,
            sessions=sessions,
            url=url,
            traces=kept,
            outputs=outputs,
            serving=serving,
        )
        if engine == CASCADE:
            _note_stages(kept, out, llm_model)
    name = "duplex" if engine == "auto" else f"{engine}-{llm_model.replace('/', '-')}"
    merge(out / f"{name}-{sessions}.json", sessions, header(split=split, seed=seed), scenes)
    console.print(table(scenes))
    for name, one in scenes.items():
        if one.get("driver", {}).get("late_frames"):
            worst = one["driver"]["worst_ms"]
            console.print(f"{name}: the driver itself was late (worst {worst} ms)", style="yellow")
    for text in disorders(scenes):
        console.print(text, style="red", markup=False)


@contextmanager
def _server_of(engine: str, llm: str | None, llm_model: str) -> Iterator[tuple[str, ...]]:
    """The server's arguments; for a cascade without an address, one that answers by a script."""
    if engine != CASCADE:
        yield ("--engine", engine)
    elif llm is not None:
        yield ("--llm", llm, "--llm-model", llm_model)
    else:
        with scripted_address() as address:
            yield ("--llm", address, "--llm-model", llm_model)


def _note_stages(traces: Path, out: Path, model: str) -> None:
    """Where the time went, as a plot and in numbers."""
    found = read_stages(traces)
    if found:
        name = f"cascade-{model.replace('/', '-')}-stages"
        plot_stages(found, out / f"{name}.png", f"Where the time went, {model}")
        (out / f"{name}.json").write_bytes(orjson.dumps(summary(found), option=orjson.OPT_INDENT_2))


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
