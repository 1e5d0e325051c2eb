"""`antiphon convert`: one clean folder of safetensors from any VITA folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from rich.console import Console

from models.vita.checkpoint import convert
from models.vita.tensor_files import CheckpointRefused
from server.inspection import show

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "as-stored": None}


def command(
    folder: Annotated[Path, typer.Argument(help="A VITA folder, released or converted.")],
    target: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    numbers: Annotated[
        Literal["as-stored", "float32", "bfloat16"], typer.Option(help="The type of the numbers.")
    ] = "as-stored",
) -> None:
    """Write a folder without pickles, every tensor checked; its licence stays what it was."""
    try:
        found = convert(folder, target, _TYPES[numbers])
    except CheckpointRefused as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    show(found, target.name, Console())
