"""Commands that train ears, eyes and mind: one a stage, in the order of the papers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.training.listener import Listener, nano_config
from models.training.options import (
    BATCH,
    RUNS,
    TOKENIZER,
    Batch,
    Device,
    Eyes,
    Folder,
    From,
    Minutes,
    Rate,
    Resume,
    Seed,
    Threads,
    Tokenizer,
    listener_of,
    stores_of,
)
from models.training.running import Stage
from models.training.skills.registry import CHINESE
from models.vita.nano_prompt import NanoPrompt

PICTURED = 0.08  # share of conversations about pictures


def _opened(listener: Listener, folder: Path, eyes: str) -> float:
    """Give a listener without eyes those of a checkpoint, if it is there; they change no more, what
    lies behind them does. The share of pictures in what it will learn from."""
    path = folder / f"{eyes}.pt"
    if listener.eyes is None and path.exists():
        listener.take_eyes(Listener.load(path))
    if listener.eyes is None:
        return 0.0
    listener.eyes.vision.requires_grad_(False)
    return PICTURED


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
    stores = stores_of(folder)
    listener = listener_of(folder, begin, stores)
    listener.language.requires_grad_(False)
    train(listener, stores, folder, Stage("alignment", minutes, rate, device, threads), resume)


def see(
    minutes: Minutes = 12,
    rate: Rate = 1.5e-3,
    resume: Resume = False,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
) -> None:
    """Vision alignment: the eyes learn what is drawn; scored on pictures kept back."""
    from models.training.running import drawn_seed
    from models.training.sight import recognised
    from models.training.sight import see as train

    torch.manual_seed(seed)
    listener, drawn = Listener(nano_config()), drawn_seed(folder, "vision", seed, resume)
    heads = train(listener, folder, Stage("vision", minutes, rate, device, threads), drawn, resume)
    for name, share in recognised(listener, heads).items():
        Console().log(f"{name}: {share:.1%}")


def instruct(
    minutes: Minutes = 15,
    rate: Rate = 1.5e-3,
    begin: From = "",
    resume: Resume = False,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    eyes: Eyes = "vision",
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
    chinese: Annotated[float, typer.Option(help="Share of conversations in Chinese.")] = CHINESE,
    batch: Batch = BATCH,
) -> None:
    """Stage 2, instruction tuning: language model and adapter on text and simulated letters."""
    from models.training.instruction import MaterialShares, Tuning
    from models.training.material import WrittenMaterial
    from models.training.running import Runner, drawn_seed

    torch.manual_seed(seed)
    listener = listener_of(folder, begin, [])
    listener.freeze_ears()
    listener.tower.gate.requires_grad_(False)
    drawn = drawn_seed(folder, "instruction", seed, resume)
    pictures = _opened(listener, folder, eyes)
    prompt = NanoPrompt.read(tokenizer)
    material = WrittenMaterial(prompt, drawn, pictures=pictures, chinese=chinese)
    stage = Stage("instruction", minutes, rate, device, threads)
    tuning = Tuning(listener, material, device, MaterialShares(tokens=batch))
    Runner(stage, listener, folder, tuning.reader).run(tuning.losses, resume)


def listen(
    ears: Annotated[str, typer.Option(help="Checkpoint whose encoder is taken.")] = "alignment",
    mind: Annotated[str, typer.Option(help="Checkpoint whose other parts are taken.")] = (
        "instruction"
    ),
    minutes: Minutes = 30,
    rate: Rate = 8e-4,
    written: Annotated[float, typer.Option(help="Share of conversations without sound.")] = 0.3,
    people: Annotated[float, typer.Option(help="Share of people's recordings.")] = 0.17,
    pictured: Annotated[
        float, typer.Option(help="Share of pictures, where it has eyes.")
    ] = PICTURED,
    frozen: Annotated[bool, typer.Option(help="The encoder stays as it is.")] = False,
    eyes: Eyes = "vision",
    resume: Resume = False,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
    batch: Batch = BATCH,
) -> None:
    """Stage 3, speech instructions and state tokens: everything together on real sound."""
    from models.training.alignment import PhoneTeacher
    from models.training.augmentation import Strength
    from models.training.hearing import Ear
    from models.training.instruction import MaterialShares, Tuning
    from models.training.material import SpokenMaterial
    from models.training.running import Runner, drawn_seed

    torch.manual_seed(seed)
    listener = Listener.load(folder / f"{mind}.pt")
    listener.take_ears(Listener.load(folder / f"{ears}.pt"))
    drawn = drawn_seed(folder, "listening", seed, resume)
    ear = Ear(stores_of(folder), Strength(), drawn)
    pictures = pictured if _opened(listener, folder, eyes) else 0.0
    prompt = NanoPrompt.read(tokenizer)
    material = SpokenMaterial(prompt, ear, drawn, written, people, pictures=pictures)
    stage = Stage("listening", minutes, rate, device, threads)
    phones = None if frozen else PhoneTeacher(ear.stores, listener.config.audio.width)
    shares = MaterialShares(tokens=batch)
    shares = replace(shares, letters=0.0) if frozen else shares
    if frozen:
        listener.freeze_ears()
    tuning = Tuning(listener, material, device, shares, phones=phones)
    extra = torch.nn.ModuleList([tuning.reader, *([phones] if phones else [])])
    Runner(stage, listener, folder, extra).run(tuning.losses, resume)


def show(
    minutes: Minutes = 6,
    rate: Rate = 6e-3,
    pictures: Annotated[int, typer.Option(help="Pictures in the gallery.")] = 1500,
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
    tokenizer: Tokenizer = TOKENIZER,
) -> None:
    """Vision alignment, second part: the projector learns to be read by the finished mind, which
    stays as it is; listening.pt gets those eyes."""
    from models.training.showing import show as train

    torch.manual_seed(seed)
    path = folder / "listening.pt"
    listener, finished = Listener.load(path), Listener.load(path)
    if listener.eyes is None:
        return
    stage = Stage("projection", minutes, rate, threads=threads)
    train(listener, NanoPrompt.read(tokenizer), folder, stage, pictures, seed)
    finished.take_eyes(Listener.load(folder / "projection.pt"))
    finished.save(path)
