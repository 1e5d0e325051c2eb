"""The command line `antiphon eval`."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from models.base import InstanceFailed
from server.app import load_engine
from server.config import ConfigurationError, ServerSettings, load_settings
from server.evaluation.manifest import LabelledRecording, read_manifest
from server.evaluation.model import hear_all
from server.evaluation.plot import plot
from server.evaluation.scores import LABELS, figures, unreached
from server.evaluation.system import Outcome, call_all, serving
from server.faults import one_line
from server.service import Engine


def command(
    manifest: Annotated[Path, typer.Option(help="Tab-separated; paths are relative to it.")],
    json_output: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    folder: Annotated[
        Path | None, typer.Option("--recordings", help="Where the sound files lie.")
    ] = None,
    split: Annotated[str, typer.Option(help="Part of the manifest; all for the whole.")] = "dev",
    model: Annotated[Path | None, typer.Option(help="The model's folder.")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, embedded, pytorch or vllm.")] = None,
    system: Annotated[bool, typer.Option(help="Also the full path, at playing speed.")] = True,
    sessions: Annotated[int, typer.Option(min=1, help="Calls at a time for the full path.")] = 4,
    limit: Annotated[int | None, typer.Option(min=1, help="Recordings of each label.")] = None,
) -> None:
    """Measure the model and the whole system on labelled recordings.

    The manifest is a text file with a head line and tabs between its columns: path (a sound file,
    relative to the manifest), split (train, dev, test or a name of yours) and label; also speaker
    and transcript_or_tag, where there are any.

    Labels: "query", an order, whose tag has the slots that the answer must repeat, or any other
    question, whose tag is its words; "digit", whose tag is the number that must be answered; and
    those that must not be answered: "noise", "music", "babble", "read_speech", "conversation",
    "isolated_word", "nonquery", "word", "talk", "backchannel", "unfinished", "echo",
    "residual_echo". Other labels are passed over.
    """
    console = Console(stderr=True)
    try:
        check_target(json_output)
        settings = load_settings(None, _flags(model, engine, sessions))
        recordings = chosen(read_manifest(manifest, folder), split, limit)
        found = asyncio.run(evaluate(settings, recordings, console, sessions if system else 0))
    except ConfigurationError as error:
        for fault in error.faults:
            console.print(fault, style="red", markup=False)
        raise typer.Exit(2) from None
    except (OSError, ValueError, InstanceFailed) as error:
        console.print(one_line(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    report = {"manifest": manifest.name, "split": split, "engine": settings.engine} | found
    json_output.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    _draw(report, json_output.with_suffix(".png"), console)
    Console().print(table(report))


def check_target(path: Path) -> None:
    """Raises ValueError where the figures could not be written when all has been measured."""
    if not path.parent.is_dir():
        raise ValueError(f"--json {path}: there is no folder {path.parent}")


def chosen(
    recordings: list[LabelledRecording], split: str, limit: int | None = None
) -> list[LabelledRecording]:
    """Those of the split that have a label with a rule, at most `limit` of each label.

    Raises ValueError if none is left.
    """
    counts: Counter[str] = Counter()
    kept = []
    for recording in recordings:
        if recording.label not in LABELS or split not in (recording.split, "all"):
            continue
        counts[recording.label] += 1
        if limit is None or counts[recording.label] <= limit:
            kept.append(recording)
    if not kept:
        raise ValueError(f"no recording of split {split!r} has a label that is evaluated")
    return kept


async def evaluate(
    settings: ServerSettings, recordings: list[LabelledRecording], console: Console, sessions: int
) -> dict[str, Any]:
    """Load the models, hear all recordings, call with all of them; `sessions` 0: no calls."""
    engine = await asyncio.to_thread(load_engine, settings)
    with Progress(console=console) as progress:
        task = progress.add_task("the model alone", total=len(recordings))
        try:
            model = await hear_all(engine.pairs[0][0], recordings, lambda: progress.advance(task))
        finally:
            if not sessions:
                await engine.close()
        system = await _call(settings, engine, recordings, progress, sessions)
    if system is None:
        return figures(model, None)
    return figures(model, system.heard) | unreached(system.failed, len(recordings))


async def _call(
    settings: ServerSettings,
    engine: Engine,
    recordings: list[LabelledRecording],
    progress: Progress,
    sessions: int,
) -> Outcome | None:
    if not sessions:
        return None
    task = progress.add_task("the full path", total=len(recordings))
    async with serving(settings, engine) as url:
        return await call_all(url, recordings, lambda: progress.advance(task), sessions=sessions)


def table(report: dict[str, Any]) -> Table:
    """The figures with their counts."""
    view = Table(title="evaluation", title_justify="left")
    for name in ("figure", "value", "of"):
        view.add_column(name, justify="left" if name == "figure" else "right")
    for name, value in report.items():
        count = report.get(f"{name}_count")
        if isinstance(count, int) and count:
            view.add_row(name, f"{value * 100:.1f} %", str(count))
    return view


_SPARE = 4  # places: a call that has just ended may still hold its own


def _flags(model: Path | None, engine: str | None, sessions: int) -> dict[str, Any]:
    local = {"host": "127.0.0.1", "port": 0, "sessions_per_pair": sessions + _SPARE}
    return {"model": model, "engine": engine, "log_level": "warning"} | local


def _draw(report: dict[str, Any], path: Path, console: Console) -> None:
    try:
        plot(report, path)
    except ModuleNotFoundError as error:
        console.print(f"no plot: {error}", style="yellow", markup=False)
