"""Training from the command line: one command a stage, in the order of the papers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.logging import RichHandler

from models.training.clips import ClipStore
from models.training.listener import Listener, nano_config
from models.training.running import Stage
from models.vita.nano_prompt import NanoPrompt

application = typer.Typer(help=__doc__, no_args_is_help=True)

Folder = Annotated[Path, typer.Option(help="Where corpora, checkpoints and plots are kept.")]
Minutes = Annotated[float, typer.Option(help="How long the stage may take.")]
Rate = Annotated[float, typer.Option(help="Highest learning rate.")]
Device = Annotated[str, typer.Option(help="A torch device such as cpu or cuda.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Resume = Annotated[bool, typer.Option(help="Go on where the last run of this stage stopped.")]
From = Annotated[str, typer.Option(help="The checkpoint to begin with; empty: fresh weights.")]
Seed = Annotated[int, typer.Option(help="Seed of everything drawn by chance.")]
Tokenizer = Annotated[Path, typer.Option(help="The tokenizer's file.")]

RUNS = Path("runs/nano")
TOKENIZER = Path("models/nano/tokenizer.json")
STAGES = Path("models/training/stages")


def _stores(folder: Path) -> list[ClipStore]:
    """All finished corpora, then the real and made sounds."""
    indices = sorted(folder.glob("corpus/*/index.json")) + sorted(folder.glob("sounds/index.json"))
    return [ClipStore.open(index.parent) for index in indices]


def _listener(folder: Path, name: str, stores: Sequence[ClipStore]) -> Listener:
    if name:
        return Listener.load(folder / f"{name}.pt")
    from models.training.alignment import measure_bands

    listener = Listener(nano_config())
    if stores:
        cmvn = listener.tower.encoder.global_cmvn
        for buffer, measured in zip((cmvn.mean, cmvn.istd), measure_bands(stores), strict=True):
            buffer.copy_(measured)
    return listener


@application.command()
def tokens(path: Path = Path("models/nano/tokenizer.json"), seed: Seed = 0) -> None:
    """Train the tokenizer."""
    from models.training.tokens import train_tokenizer

    train_tokenizer(path, seed)


@application.command()
def synthesise(
    name: str, dialogues: int = 2600, negatives: int = 1500, seed: Seed = 11, folder: Folder = RUNS
) -> None:
    """Speak a corpus in training voices; the name "evaluation" uses the reserved ones."""
    from models.training.corpus import synthesise as make

    held_out = name == "evaluation"
    target = folder / name if held_out else folder / "corpus" / name
    make(target, dialogues, negatives, seed, held_out)


@application.command()
def sounds(manifest: Path | None = None, made: int = 300, folder: Folder = RUNS) -> None:
    """Gather noises made by rule and, with a manifest, real recordings."""
    from models.training.recordings import gather

    gather(folder / "sounds", manifest, made)


@application.command()
def align(
    minutes: Minutes = 25,
    rate: Rate = 1.2e-3,
    begin: From = "",
    resume: Resume = False,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
) -> None:
    """Stage 1, audio alignment: the encoder learns to spell."""
    from models.training.alignment import align as train

    torch.manual_seed(seed)
    stores = _stores(folder)
    listener = _listener(folder, begin, stores)
    listener.language.requires_grad_(False)
    train(listener, stores, folder, Stage("alignment", minutes, rate, device, threads), resume)


@application.command()
def instruct(
    minutes: Minutes = 15,
    rate: Rate = 1.5e-3,
    begin: From = "",
    resume: Resume = False,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
) -> None:
    """Stage 2, instruction tuning: language model and adapter on text and simulated letters."""
    from models.training.instruction import Tuning
    from models.training.material import WrittenMaterial
    from models.training.running import Runner, drawn_seed

    torch.manual_seed(seed)
    listener = _listener(folder, begin, [])
    listener.tower.encoder.requires_grad_(False)
    if listener.tower.letters is not None:
        listener.tower.letters.requires_grad_(False)
    listener.tower.gate.requires_grad_(False)
    drawn = drawn_seed(folder, "instruction", seed, resume)
    material = WrittenMaterial(NanoPrompt.read(tokenizer), drawn)
    stage = Stage("instruction", minutes, rate, device, threads)
    tuning = Tuning(listener, material, device)
    Runner(stage, listener, folder, tuning.reader).run(tuning.losses, resume)


@application.command()
def listen(
    ears: Annotated[str, typer.Option(help="Checkpoint whose encoder is taken.")] = "alignment",
    mind: Annotated[str, typer.Option(help="Checkpoint whose other parts are taken.")] = (
        "instruction"
    ),
    minutes: Minutes = 30,
    rate: Rate = 8e-4,
    written: Annotated[float, typer.Option(help="Share of conversations without sound.")] = 0.3,
    resume: Resume = False,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
) -> None:
    """Stage 3, speech instructions and state tokens: everything together on real sound."""
    from models.training.alignment import PhoneTeacher
    from models.training.augmentation import Strength
    from models.training.hearing import Ear
    from models.training.instruction import Tuning
    from models.training.material import SpokenMaterial
    from models.training.running import Runner, drawn_seed

    torch.manual_seed(seed)
    listener = Listener.load(folder / f"{mind}.pt")
    listener.take_ears(Listener.load(folder / f"{ears}.pt"))
    drawn = drawn_seed(folder, "listening", seed, resume)
    ear = Ear(_stores(folder), Strength(), drawn)
    material = SpokenMaterial(NanoPrompt.read(tokenizer), ear, drawn, written)
    stage = Stage("listening", minutes, rate, device, threads)
    phones = PhoneTeacher(ear.stores, listener.config.audio.width)
    tuning = Tuning(listener, material, device, phones=phones)
    extra = torch.nn.ModuleList([phones, tuning.reader])
    Runner(stage, listener, folder, extra).run(tuning.losses, resume)


@application.command()
def transcribe(checkpoint: str = "alignment", folder: Folder = RUNS) -> None:
    """Guess the words of recorded orders, of which only the slots are known."""
    from models.training.transcribing import transcribe as guess

    torch.set_num_threads(1)
    sounds = folder / "sounds"
    guess(Listener.load(folder / f"{checkpoint}.pt"), ClipStore.open(sounds), sounds)


@application.command()
def evaluate(
    checkpoint: str = "listening",
    most: Annotated[int, typer.Option(help="Dialogues and clips of each kind.")] = 150,
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
) -> None:
    """Measure a checkpoint on reserved voices and on the manifest's dev split."""
    from models.training.evaluation import examine

    torch.set_num_threads(1)
    sounds = ClipStore.open(folder / "sounds") if (folder / "sounds").exists() else None
    reserved = ClipStore.open(folder / "evaluation")
    listener = Listener.load(folder / f"{checkpoint}.pt")
    report = examine(listener, NanoPrompt.read(tokenizer), reserved, sounds, most)
    report.write(folder / f"{checkpoint}-evaluation.json")
    console = Console()
    for name, value in report.figures.items():
        console.log(f"{name}: {value:.1%} of {report.counts.get(name, 0)}")


@application.command()
def read(folder: Folder = RUNS) -> None:
    """Let the teacher's voice read answers aloud, for codec and speech decoder."""
    from models.training.skills.answers import answers
    from models.training.speech_data import ReadingPlan, planned_texts, record

    train, held_out = planned_texts(answers(), ReadingPlan())
    record(train, folder / "voice" / "train")
    record(held_out, folder / "voice" / "held-out")


@application.command()
def codec(steps: int = 3000, folder: Folder = RUNS) -> None:
    """Stage 4, codec: sound to codes and back."""
    from models.training.codec_training import CodecOptions, train

    train(folder / "voice" / "train", folder / "codec.pt", CodecOptions(steps=steps))


@application.command()
def speak(steps: int = 5000, folder: Folder = RUNS) -> None:
    """Stage 5, speech decoder: letters to codes."""
    from models.training.speech_training import SpeechOptions, train

    paths = (folder / "voice" / "train", folder / "codec.pt", folder / "speech.pt")
    train(*paths, SpeechOptions(steps=steps))


@application.command()
def score_voice(folder: Folder = RUNS) -> None:
    """Measure the voice: how well an independent recogniser understands it."""
    from models.training.speech_scores import as_dict, score

    held_out = folder / "voice" / "held-out"
    scores = score(held_out, folder / "codec.pt", folder / "speech.pt")
    Console().log(as_dict(scores))


@application.command()
def export(folder: Folder = RUNS, nano: Path = Path("models/nano")) -> None:
    """Write what embedded instances read: 8-bit networks, tokenizer, configuration."""
    from models.training.export import export as write
    from models.training.handover import read_run

    write(read_run(folder, nano), nano)


@application.command(name="all")
def everything(
    manifest: Path | None = None,
    corpora: int = 3,
    hours: Annotated[float, typer.Option(help="Time for stages one to three together.")] = 1.75,
    device: Device = "cpu",
    threads: Threads = 1,
    folder: Folder = RUNS,
) -> None:
    """Every stage in order, from nothing to the folder that is served."""
    tokens()
    for number in range(1, corpora + 1):
        synthesise(f"{number:02d}", seed=10 + number, folder=folder)
    synthesise("evaluation", 300, 120, 77, folder)
    sounds(manifest, folder=folder)
    minutes = hours * 60
    align(minutes * 0.32, device=device, threads=threads, folder=folder)
    instruct(minutes * 0.25, device=device, threads=threads, folder=folder)
    if manifest is not None:
        transcribe(folder=folder)
    listen(minutes=minutes * 0.43, device=device, threads=threads, folder=folder)
    evaluate(folder=folder)
    read(folder)
    codec(folder=folder)
    speak(folder=folder)
    export(folder)


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
