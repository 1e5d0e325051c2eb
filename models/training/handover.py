"""What a training run left behind, put together as one model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from models.engines.bundle import TOKENIZER, BundleConfig
from models.training.export import Parts
from models.training.listener import Listener
from models.training.speech_samples import load_codec
from models.training.speech_training import NANO_SPEECH, load_speech

LISTENING, SPEECH, CODEC = "listening.pt", "speech.pt", "codec.pt"


def read_run(run: Path, tokenizer: Path) -> Parts:
    """The modules of a run's folder; without speech.pt and codec.pt it can only write.

    `tokenizer` is a tokenizer.json, or the folder that has one. Raises FileNotFoundError.
    """
    listener = Listener.load(run / LISTENING).eval()
    file = tokenizer / TOKENIZER if tokenizer.is_dir() else tokenizer
    speaks = (run / SPEECH).exists() and (run / CODEC).exists()
    model = replace(listener.config, speech=NANO_SPEECH) if speaks else listener.config
    return Parts(
        config=BundleConfig(model=model, reads_words=True),
        tower=listener.tower,
        language=listener.language,
        tokenizer=file.read_text(),
        eyes=listener.eyes,
        speech=load_speech(run / SPEECH) if speaks else None,
        codec=load_codec(run / CODEC).decoder if speaks else None,
    )
