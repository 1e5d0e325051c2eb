"""The whole recipe, from nothing to the folder that is served."""

from __future__ import annotations

from pathlib import Path

from models.training.learning import align, instruct, listen, see, show
from models.training.options import Folder, scaled
from models.training.preparing import ask, sounds, synthesise, tokens, transcribe
from models.training.skills.registry import CHINESE
from models.training.voice_stages import codec, read, speak

PICTURES = 1500  # in the gallery


def prepare(manifest: Path | None, corpora: int, size: float, folder: Folder, nano: Path) -> None:
    """Tokenizer, spoken corpora and sounds: what stages one to three learn from."""
    tokens(nano / "tokenizer.json")
    for number in range(1, corpora + 1):
        amounts = scaled(2600, size), scaled(1500, size)
        synthesise(f"{number:02d}", *amounts, 10 + number, folder, chinese=CHINESE)
    ask("pictures", scaled(6, size), folder=folder)
    synthesise("evaluation-en", scaled(450, size), scaled(150, size), 79, folder)
    synthesise("evaluation-zh", scaled(280, size), scaled(120, size), 78, folder, chinese=1.0)
    ask("evaluation-pictures", scaled(2, size), folder=folder)
    sounds(manifest, scaled(300, size), folder)


def hear_see_and_answer(
    minutes: float,
    size: float,
    people: bool,
    folder: Path,
    nano: Path,
    *,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Stages one to three in their share of the time."""
    tokenizer = nano / "tokenizer.json"
    align(minutes * 0.25, device=device, threads=threads, folder=folder)
    see(minutes * 0.07, device=device, threads=threads, folder=folder)
    instruct(minutes * 0.33, device=device, threads=threads, folder=folder, tokenizer=tokenizer)
    if people:
        transcribe(folder=folder)
    listen(
        minutes=minutes * 0.32,
        device=device,
        threads=threads,
        folder=folder,
        tokenizer=tokenizer,
    )
    gallery = scaled(PICTURES, size)
    show(minutes * 0.03, pictures=gallery, threads=threads, folder=folder, tokenizer=tokenizer)


def learn_to_speak(size: float, folder: Path) -> None:
    """Stages four and five: codec and speech decoder."""
    read(folder, size)
    codec(scaled(3000, size), scaled(700, size), folder)
    speak(scaled(9000, size), folder)
