"""The command line `antiphon replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from duplex.trace import read_trace
from server.faults import one_line
from server.replay.picture import draw
from server.replay.rerun import rerun
from server.replay.story import swap_seconds, tell
from server.replay.terminal import TimelineRows, lines, summary

DIFFERENT = 3


def command(
    trace: Annotated[Path, typer.Argument(help="A trace, as the server writes it.")],
    picture: Annotated[Path | None, typer.Option(help="Draw the time line: PNG, SVG, PDF.")] = None,
) -> None:
    """Run a recorded session through the core again; show what it heard, did, and why.

    Ends with code 3 if the core of today would have done something else.
    """
    console, errors = Console(), Console(stderr=True)
    try:
        records = list(read_trace(trace))
        story = tell(records)
        differences = rerun(records)
        if picture is not None:
            draw(story, picture)
    except (OSError, ValueError) as error:
        errors.print(one_line(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    console.print(TimelineRows(story))
    console.print(lines(story))
    for text in summary(story, swap_seconds(records), differences):
        console.print(text)
    if differences:
        raise typer.Exit(DIFFERENT)
