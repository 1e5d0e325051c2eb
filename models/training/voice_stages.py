"""The stages of the voice on the command line: readings, codec, speech decoder, scores."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from models.training.options import RUNS, TOKENIZER, Folder, Size, Tokenizer, scaled

Steps = Annotated[int, typer.Option(help="Steps in all; a stage goes on where it stopped.")]

ENGLISH, MANDARIN = "train", "mandarin"  # readings under voice/
HELD_OUT, MANDARIN_HELD_OUT = "held-out", "mandarin-held-out"
CODEC, MANDARIN_CODEC = "codec.pt", "codec-mandarin.pt"


def read(folder: Folder = RUNS, size: Size = 1.0) -> None:
    """Let the teachers' voices read answers aloud, for codec and speech decoder."""
    from models.training.skills.answers import answers, chinese_answers
    from models.training.speech_data import ReadingPlan, planned_texts, record, recorded
    from models.training.speech_mandarin import MandarinTeacher
    from models.training.speech_text_mandarin import MandarinPlan, planned_mandarin

    voice = folder / "voice"
    train, held_out = planned_texts(answers(), ReadingPlan())
    record(_share(train, size), voice / ENGLISH)
    record(_share(held_out, size), voice / HELD_OUT)
    train, held_out = planned_mandarin(chinese_answers(), MandarinPlan())
    teacher = MandarinTeacher(recorded(voice / HELD_OUT), train)
    record(_share(train, size), voice / MANDARIN, teacher.read)
    record(_share(held_out, size), voice / MANDARIN_HELD_OUT, teacher.read)


def _share(texts: list[str], size: float) -> list[str]:
    return texts[: scaled(len(texts), size)]


def codec(steps: Steps = 3000, joining: Steps = 700, folder: Folder = RUNS) -> None:
    """Stage 4, codec: sound to codes and back; then the second voice in the same codes."""
    from models.training.codec_joining import JoiningOptions, join
    from models.training.codec_training import CodecOptions, train

    voices = folder / "voice" / ENGLISH, folder / "voice" / MANDARIN
    files = folder / CODEC, folder / MANDARIN_CODEC
    train(voices[0], files[0], CodecOptions(steps=steps))
    join(files[0], voices, files, JoiningOptions(steps=joining))


def speak(steps: Steps = 9000, folder: Folder = RUNS) -> None:
    """Stage 5, speech decoder: letters to codes, in both languages."""
    from models.training.speech_training import SpeechOptions, VoiceData, train

    voices = [
        VoiceData(folder / "voice" / ENGLISH, folder / CODEC),
        VoiceData(folder / "voice" / MANDARIN, folder / MANDARIN_CODEC),
    ]
    train(voices, folder / "speech.pt", SpeechOptions(steps=steps))


def score_voice(
    folder: Folder = RUNS,
    most: Annotated[int, typer.Option(help="Sentences of each language.")] = 80,
    tokenizer: Tokenizer = TOKENIZER,
) -> None:
    """Measure the voice: how well others understand it, where its words are, and whether the
    export says the same."""
    from dataclasses import asdict

    from models.training.listener import Listener
    from models.training.speech_parity import code_parity
    from models.training.speech_scores import score
    from models.training.speech_scores_mandarin import LetterEars, score_mandarin

    voice, speech = folder / "voice", folder / "speech.pt"
    ears = LetterEars(Listener.load(folder / "listening.pt"))
    console = Console()
    files = folder / MANDARIN_CODEC, speech
    for scores in (
        score(voice / HELD_OUT, folder / CODEC, speech, most),
        score_mandarin(voice / MANDARIN_HELD_OUT, *files, ears, most),
        code_parity(folder, tokenizer),
    ):
        console.log({name: round(value, 4) for name, value in asdict(scores).items()})
