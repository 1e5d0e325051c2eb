"""What the commands share: their options, folders and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from models.training.clips import ClipStore
from models.training.listener import Listener, nano_config

Folder = Annotated[Path, typer.Option(help="Where corpora, checkpoints and plots are kept.")]
Minutes = Annotated[float, typer.Option(help="How long the stage may take.")]
Rate = Annotated[float, typer.Option(help="Highest learning rate.")]
Device = Annotated[str, typer.Option(help="A torch device such as cpu or cuda.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Resume = Annotated[bool, typer.Option(help="Go on where the last run of this stage stopped.")]
From = Annotated[str, typer.Option(help="The checkpoint to begin with; empty: fresh weights.")]
Eyes = Annotated[str, typer.Option(help="Checkpoint whose eyes are taken by one that has none.")]
Seed = Annotated[int, typer.Option(help="Seed of everything drawn by chance.")]
Tokenizer = Annotated[Path, typer.Option(help="The tokenizer's file.")]
Nano = Annotated[Path, typer.Option(help="The folder that is served.")]
Batch = Annotated[int, typer.Option(min=100, help="Places in a batch, padding included.")]
Size = Annotated[float, typer.Option(min=0, max=1, help="Share of the full amounts and steps.")]

RUNS = Path("runs/nano")
NANO = Path("models/nano")
TOKENIZER = NANO / "tokenizer.json"
BATCH = 1_400  # places in a batch on a CPU; a GPU takes 16 times as many
STAGES = Path("models/training/stages")


def stores_of(folder: Path) -> list[ClipStore]:
    """All finished corpora, then the real and made sounds."""
    indices = sorted(folder.glob("corpus/*/index.json")) + sorted(folder.glob("sounds/index.json"))
    return [ClipStore.open(index.parent) for index in indices]


def listener_of(folder: Path, name: str, stores: Sequence[ClipStore]) -> Listener:
    if name:
        return Listener.load(folder / f"{name}.pt")
    from models.training.alignment import measure_bands

    listener = Listener(nano_config())
    if stores:
        cmvn = listener.tower.encoder.global_cmvn
        for buffer, measured in zip((cmvn.mean, cmvn.istd), measure_bands(stores), strict=True):
            buffer.copy_(measured)
    return listener


def scaled(amount: int, size: float) -> int:
    """That share of an amount, at least one."""
    return max(1, round(amount * size))
