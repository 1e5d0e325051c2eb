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
from models.vita.footprint import Footprint, footprint
from models.vita.tensor_files import CheckpointRefused

_MEBIBYTE = 1 << 20
_CONTEXT = 4_096  # tokens of one conversation, as the setting vita.context has it


def command(
    folder: Annotated[Path, typer.Argument(help="A VITA folder, released or converted.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    context: Annotated[
        int, typer.Option(min=512, help="Tokens of one conversation (vita.context).")
    ] = _CONTEXT,
) -> None:
    """Show a checkpoint's parts, its size in memory, its licence and what is wrong with it."""
    try:
        found = inspect(folder)
    except CheckpointRefused as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    console = Console()
    if json_output:
        need = footprint(found.config, context)
        on_gpu = asdict(need) | {"context": context, "four_conversations": need.total(4)}
        body = asdict(found) | {"bytes": found.bytes, "on_gpu": on_gpu}
        console.print_json(orjson.dumps(body).decode())
    else:
        show(found, folder.name, console, context)
    if found.problems:
        raise typer.Exit(1)


def memory(found: Inspection, context: int) -> list[str]:
    """What it takes where it runs, in lines."""
    need: Footprint = footprint(found.config, context)
    tokens = min(context, found.config.language.positions)
    cpu = 4 * found.numbers, 4 * found.cached_numbers(context)
    return [
        f"weights, once for all instances: {_mib(need.weights)} on a GPU (bfloat16; sound in "
        f"float16, codec in float32), {_mib(cpu[0])} on a CPU (float32)",
        f"a conversation of {tokens:,} tokens, on each instance: {_mib(need.stream + need.voice)} "
        f"on a GPU, {_mib(cpu[1])} on a CPU",
        f"a GPU that serves 4 conversations: {_mib(need.total(4))} (calculated)",
    ]


def _mib(count: int) -> str:
    return f"{count / _MEBIBYTE:,.1f} MiB"


def show(found: Inspection, name: str, console: Console, context: int = _CONTEXT) -> None:
    """Parts as a table, then the notes, the faults and the licence."""
    table = Table("part", title=f"{name} ({found.config.template})")
    for heading in ("parameters", "MiB as stored"):
        table.add_column(heading, justify="right")
    for part in found.parts:
        table.add_row(part.name, f"{part.parameters:,}", f"{part.bytes / _MEBIBYTE:,.1f}")
    table.add_row("all", f"{found.numbers:,}", f"{found.bytes / _MEBIBYTE:,.1f}")
    console.print(table)
    for line in (*memory(found, context), *found.notes):
        console.print(line, markup=False)
    if not found.has_tokenizer:
        console.print("no tokenizer.json: it cannot converse", style="red")
    for problem in found.problems:
        console.print(problem, style="red", markup=False)
    console.print(found.licence, style="yellow", markup=False)
