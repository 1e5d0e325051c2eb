"""A whole evening: scenes one after the other, through one server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.scene import Trial
from benchmarks.scene_runner import measure, settle
from benchmarks.service import service

Plan = tuple[str, list[Trial] | str]  # a scene's name, its trials or why there are none

SPARE = 4  # places: a call that has just ended may still hold its own


def perform(
    plans: Iterable[Plan],
    console: Console,
    *,
    sessions: int,
    url: str | None = None,
    traces: Path | None = None,
    outputs: Path | None = None,
    serving: Sequence[str] = (),
) -> dict[str, Any]:
    """Play every plan, so many calls at a time, and give the results by scene.

    `traces`: keep the server's traces there. `serving`: more arguments of the server. Raises
    RuntimeError if the server does not get ready.
    """
    with TemporaryDirectory() as folder:
        kept = traces or Path(folder)
        scenes = _played(plans, console, sessions, url, kept, outputs, serving)
        for scene in scenes.values():  # the server has ended: its traces are whole
            if "skipped" not in scene:
                settle(scene, kept)
    return scenes


def _played(
    plans: Iterable[Plan],
    console: Console,
    sessions: int,
    url: str | None,
    traces: Path,
    outputs: Path | None,
    serving: Sequence[str],
) -> dict[str, Any]:
    places = str(sessions + SPARE)
    options = ("--sessions-per-pair", places, "--trace-directory", str(traces), "--trace-words")
    scenes: dict[str, Any] = {}
    with service(url, *options, *serving) as line, Progress(console=console) as progress:
        for name, trials in plans:
            if isinstance(trials, str):
                scenes[name] = {"skipped": trials}
                continue
            scenes[name] = asyncio.run(
                measure(line, trials, progress, title=name, sessions=sessions, outputs=outputs)
            )
    return scenes


def disorders(scenes: Mapping[str, Any]) -> list[str]:
    """What must not be, whatever the figures are: calls that broke, segments without their one
    reason, traces that today's core would not write again."""
    found = []
    for name, scene in scenes.items():
        found += [f"{name}: call {call}" for call in scene.get("failed_calls", [])]
        accounts = scene.get("accounts", {})
        for session in accounts.get("unbalanced", []):
            found.append(f"{name}: {session}: a segment without its one reason")
        for session in accounts.get("replayed_otherwise", []):
            found.append(f"{name}: {session}: its replay differs")
    return found
