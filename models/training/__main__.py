"""Training from the command line: one command a stage, in the order of the papers."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.logging import RichHandler

from models.training import recipe
from models.training.clips import ClipStore
from models.training.learning import align, instruct, listen, see, show
from models.training.likeness import likeness
from models.training.listener import Listener
from models.training.options import (
    NANO,
    RUNS,
    STAGES,
    TOKENIZER,
    Device,
    Folder,
    Nano,
    Size,
    Threads,
    Tokenizer,
    scaled,
)
from models.training.pinyin_ears import command as pinyin
from models.training.preparing import (
    ask,
    open_questions,
    sounds,
    synthesise,
    tokens,
    transcribe,
    voices,
)
from models.training.smollm import command as smollm
from models.training.speaker import speaker
from models.training.voice_stages import codec, read, score_voice, speak
from models.vita.nano_prompt import NanoPrompt

application = typer.Typer(help=__doc__, no_args_is_help=True)
application.add_typer(smollm.application, name="smollm")
application.add_typer(pinyin.application, name="pinyin")
_PREPARING = (tokens, voices, synthesise, ask, sounds, open_questions, transcribe)
_STAGES = (align, see, instruct, listen, show)
_VOICE = (read, codec, speak, score_voice)
_SPEAKER = (speaker, likeness)
for _command in (*_PREPARING, *_STAGES, *_VOICE, *_SPEAKER):
    application.command()(_command)


@application.command()
def evaluate(
    checkpoint: str = "listening",
    most: Annotated[int, typer.Option(help="Dialogues and clips of each kind.")] = 150,
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
) -> None:
    """Measure a checkpoint on reserved voices and on the manifest's dev split."""
    from models.training.evaluation import Examiner, examine
    from models.training.picture_examination import examine_pictures

    torch.set_num_threads(1)
    sounds = ClipStore.open(folder / "sounds") if (folder / "sounds").exists() else None
    indices = sorted(folder.glob("evaluation*/index.json"))
    stores = [ClipStore.open(index.parent) for index in indices]
    reserved = [store for store in stores if store.extra.get("dialogues")]
    listener = Listener.load(folder / f"{checkpoint}.pt")
    asked = next((store for store in stores if store.extra.get("pictures")), None)
    examiner = Examiner(listener, NanoPrompt.read(tokenizer))
    examine_pictures(examiner, asked)
    report = examine(examiner, reserved, sounds, most)
    report.write(folder / f"{checkpoint}-evaluation.json")
    console = Console()
    for name, value in report.figures.items():
        console.log(f"{name}: {value:.1%} of {report.counts.get(name, 0)}")
    console.log(report.states)


@application.command()
def served(
    target: Annotated[Path, typer.Argument(help="Where the figures go, as JSON.")],
    nano: Nano = NANO,
    most: Annotated[int, typer.Option(help="Dialogues of each language.")] = 200,
    neural: Annotated[float, typer.Option(help="Share in Kokoro's reserved voices.")] = 0.3,
    alone: Annotated[bool, typer.Option(help="Without the recogniser.")] = False,
    seed: Annotated[int, typer.Option()] = 9,
) -> None:
    """Measure the folder that is served, on spoken questions in voices kept back."""
    from models.training.served_evaluation import run

    report = run(nano, most, neural, seed, alone=alone).as_json()
    target.write_text(json.dumps(report, indent=1, ensure_ascii=False))
    for name, counts in report["right"].items():
        Console().log(f"{name}: {counts['right']} of {counts['of']}")
    for name, counts in report["verdicts"].items():
        Console().log(f"{name}: {counts}")


@application.command()
def session(
    nano: Nano = NANO,
    turns: Annotated[int, typer.Option(help="Questions in one conversation.")] = 60,
    neural: Annotated[float, typer.Option(help="Share in Kokoro's reserved voices.")] = 0.0,
    seed: Annotated[int, typer.Option()] = 9,
) -> None:
    """Measure the folder that is served, in one conversation of many spoken questions."""
    from models.training.session_evaluation import run

    Console().log(run(nano, turns, seed, neural))


@application.command()
def mean(
    runs: Annotated[list[Path], typer.Argument(help="Checkpoints of runs with one beginning.")],
    folder: Folder = RUNS,
) -> None:
    """Write the mean of several runs' weights as the listening checkpoint of a folder."""
    from models.training.averaging import average

    average(runs, folder / "listening.pt")


@application.command()
def export(folder: Folder = RUNS, nano: Nano = NANO) -> None:
    """Write what embedded instances read: 8-bit networks, tokenizer, configuration."""
    from models.training.export import export as write
    from models.training.handover import read_run

    write(read_run(folder, nano), nano)


@application.command(name="all")
def everything(
    manifest: Path | None = None,
    corpora: int = 3,
    hours: Annotated[float, typer.Option(help="Time for stages one to three together.")] = 4,
    device: Device = "cpu",
    threads: Threads = 1,
    size: Size = 1.0,
    folder: Folder = RUNS,
    nano: Nano = NANO,
) -> None:
    """Every stage in order, from nothing to the folder that is served; `--size` 0.01 and a few
    minutes try out whether all of it works here."""
    recipe.prepare(manifest, corpora, size, folder, nano)
    people = manifest is not None
    recipe.hear_see_and_answer(
        hours * 60, size, people, folder, nano, device=device, threads=threads
    )
    most = scaled(150, size)
    evaluate(most=most, folder=folder, tokenizer=nano / "tokenizer.json")
    recipe.learn_to_speak(size, folder)
    export(folder, nano)


def main() -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler()])
    application()


@application.command("keep")
def keep_stages(folder: Folder = RUNS, target: Path = STAGES) -> None:
    """Write the finished stages as half-precision files that fit into a repository."""
    from models.training.keeping import keep

    keep(folder, target)


@application.command("restore")
def restore_stages(folder: Folder = RUNS, source: Path = STAGES) -> None:
    """Write the kept stages back as checkpoints, to go on training from them."""
    from models.training.keeping import restore

    restore(source, folder)


if __name__ == "__main__":
    main()
