"""SmolLM2 with nano's hearing and voice and a transcriber: how the parts are put together."""

from __future__ import annotations

from pathlib import Path

from models.base import Synthesizer, Transcriber
from models.engines.bundle import Bundle
from models.engines.cascade import assembly as cascade
from models.engines.cascade.transcription import TranscriptionQueue
from models.engines.smollm.chat_model import SmolChatModel
from models.engines.smollm.judging import SmolJudge
from models.smollm import files, network

NANO = Path(__file__).resolve().parents[2] / "nano"
assemble = cascade.assemble


def load(
    folder: Path,
    transcriber: Transcriber | None = None,
    synthesizer: Synthesizer | None = None,
) -> cascade.CascadeParts:
    """Read SmolLM2's graph and changes from its folder, its published weights from their package,
    and nano's folder. Without a transcriber the words are the letters that nano spells. Raises
    BadBundle, BadWeights."""
    mind = network.load(graph=folder / files.GRAPH.name, changes=folder / files.CHANGES.name)
    chat = SmolChatModel(mind)
    queue = None if transcriber is None else TranscriptionQueue(transcriber)
    return cascade.CascadeParts(
        Bundle.read(NANO).by_sound_alone(), (chat,), queue, synthesizer, SmolJudge(chat)
    )
