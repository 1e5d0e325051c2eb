"""`antiphon inspect`: what a model folder holds, without loading it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from models.vita.checkpoint import Inspection, inspect
from models.vita.tensor_files import CheckpointRefused

_MEBIBYTE = 1 << 20
_TOKENS = 4_096  # of one conversation, as the pytorch engine has it


def command(
    folder: Annotated[Path, typer.Argument(help="A VITA folder, released or converted.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a checkpoint's parts, its size in memory, its licence and what is wrong with it."""
    try:
        found = inspect(folder)
    except CheckpointRefused as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    console = Console()
    if json_output:
        console.print_json(orjson.dumps(asdict(found) | {"bytes": found.bytes}).decode())
    else:
        show(found, folder.name, console)
    if found.problems:
        raise typer.Exit(1)


def memory(found: Inspection) -> list[str]:
    """What it takes where it runs: two bytes a number on a GPU, four on a CPU."""
    weights, cache = found.numbers / _MEBIBYTE, found.cached_numbers(_TOKENS) / _MEBIBYTE
    return [
        f"in memory, once for all instances: {2 * weights:,.1f} MiB on a GPU (bfloat16), "
        f"{4 * weights:,.1f} MiB on a CPU (float32)",
        f"for each conversation on each instance: {2 * cache:,.1f} MiB on a GPU, "
        f"{4 * cache:,.1f} MiB on a CPU",
    ]


def show(found: Inspection, name: str, console: Console) -> None:
    """Parts as a table, then the notes, the faults and the licence."""
    table = Table("part", title=f"{name} ({found.config.template})")
    for heading in ("parameters", "MiB as stored"):
        table.add_column(heading, justify="right")
    for part in found.parts:
        table.add_row(part.name, f"{part.parameters:,}", f"{part.bytes / _MEBIBYTE:,.1f}")
    table.add_row("all", f"{found.numbers:,}", f"{found.bytes / _MEBIBYTE:,.1f}")
    console.print(table)
    for line in (*memory(found), *found.notes):
        console.print(line, markup=False)
    if not found.has_tokenizer:
        console.print("no tokenizer.json: it cannot converse", style="red")
    for problem in found.problems:
        console.print(problem, style="red", markup=False)
    console.print(found.licence, style="yellow", markup=False)
