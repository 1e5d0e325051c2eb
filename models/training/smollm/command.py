"""The recipe of SmolLM2's changes from the command line, in order: answers, tune, score, pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.smollm import checkpoint, files, network
from models.smollm.chat import Chat
from models.smollm.gguf import GgufFile
from models.training.options import Minutes, Rate, Resume, Seed, Threads

RUNS = Path("runs/smollm")
Folder = Annotated[Path, typer.Option(help="Where answers, checkpoints and losses are kept.")]
Weights = Annotated[
    Path | None, typer.Option(help="The published weights; by default those of the package.")
]

application = typer.Typer(help=__doc__, no_args_is_help=True)


def _opened(weights: Path | None) -> GgufFile:
    return GgufFile(weights or files.installed())


@application.command()
def answers(weights: Weights = None, folder: Folder = RUNS, threads: Threads = 1) -> None:
    """Ask the published model open questions and keep what is sound; minutes."""
    from models.training.smollm.answers import collect
    from models.training.smollm.tuning import pretrained

    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(weights) as file:
        chat, model = Chat(checkpoint.tokenizer(file)), pretrained(file)
    kept, asked = collect(model.to(torch.bfloat16).eval(), chat, folder / "own.json")
    Console().log(f"{kept} of {asked} answers were kept")


@application.command()
def tune(
    weights: Weights = None,
    minutes: Minutes = 75,
    rate: Rate = 8e-4,
    resume: Resume = False,
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
) -> None:
    """Learn the changes; a checkpoint every few minutes."""
    from models.training.smollm.tuning import LowRankTuning

    folder.mkdir(parents=True, exist_ok=True)
    LowRankTuning(weights or files.installed(), folder, minutes, rate, threads, seed).run(resume)


@application.command()
def score(
    weights: Weights = None,
    folder: Folder = files.HERE,
    every_answer: Annotated[
        bool, typer.Option(help="Print what it says to open questions.")
    ] = False,
) -> None:
    """What the model of a folder (graph and changes) answers to typed questions."""
    from models.training.smollm import scores

    graph, changes = folder / files.GRAPH.name, folder / files.CHANGES.name
    speaker = scores.Speaker(network.load(weights, graph, changes))
    log = Console().log
    log("reserved wordings", str(scores.reserved(speaker)))
    log("in small letters", str(scores.reserved(speaker, lower=True)))
    log("conversations", str(scores.conversations(speaker)))
    log("functions with types", str(scores.typed_functions(speaker)))
    log("easy", str(scores.keyed(speaker, scores.EASY)[0]))
    log("easy, in small letters", str(scores.keyed(speaker, scores.EASY, lower=True)[0]))
    log("what nobody can know", str(scores.refused(speaker)))
    log("verdicts on words", str(scores.verdicts(speaker)))
    tally, said = scores.keyed(speaker, scores.OPEN)
    log("open questions, by a word in the answer", str(tally))
    for question, answer in said if every_answer else ():
        log(f"{question} - {answer}")


@application.command()
def compare(weights: Weights = None, folder: Folder = RUNS) -> None:
    """The packed graph in 8 bits against the trained model."""
    from models.training.smollm.likeness import adapted, likeness

    with _opened(weights) as file:
        model = adapted(file, Chat(checkpoint.tokenizer(file)), folder / "changes.pt")
    found = likeness(model, network.load(weights))
    Console().log(
        f"the same token at {found.same} of {found.places} places; "
        f"its probability differs by {found.difference:.4f} on the average"
    )


@application.command()
def pack(weights: Weights = None, folder: Folder = RUNS, target: Path = files.HERE) -> None:
    """Write the graph and the changes that the server reads."""
    from models.training.smollm import graph
    from models.training.smollm.packing import changes_of

    with _opened(weights) as file:
        chat = Chat(checkpoint.tokenizer(file))
        graph.write(checkpoint.configuration(file), network.POSITIONS, target / files.GRAPH.name)
    changes_of(folder / "changes.pt", chat).write(target / files.CHANGES.name)
