"""How a cascade is put together from its parts: once what is shared, then each instance."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.base import Synthesizer, Transcriber
from models.engines.bundle import Bundle
from models.engines.cascade.instance import CascadeInstance, WordJudge
from models.engines.cascade.judging import RuleJudge
from models.engines.cascade.language import ChatModel
from models.engines.cascade.speech import (
    NanoSpeechSource,
    SpeechSource,
    SynthesizedSpeechSource,
)
from models.engines.cascade.transcription import TranscriptionQueue
from models.engines.embedded import EmbeddedInstance
from models.vita.config import LANGUAGES

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CascadeParts:
    """What all instances of a cascade share. The first instance of a pair uses the first of the
    chat models and the second the last, which may be the same."""

    bundle: Bundle
    chats: Sequence[ChatModel]
    transcription: TranscriptionQueue | None = None
    synthesizer: Synthesizer | None = None
    judge: WordJudge | None = None
    languages: tuple[str, ...] = ()


def load(
    folder: Path,
    chats: Sequence[ChatModel],
    transcriber: Transcriber | None = None,
    synthesizer: Synthesizer | None = None,
    languages: tuple[str, ...] = (),
) -> CascadeParts:
    """Read nano's folder, whose network judges and, without a synthesizer, speaks. Without a
    transcriber the words are the letters that it spells; else they are judged by rules, and are
    words of `languages`. Raises BadBundle."""
    queue = None if transcriber is None else TranscriptionQueue(transcriber)
    written = LANGUAGES if transcriber is None else languages
    return CascadeParts(
        Bundle.read(folder).by_sound_alone(), chats, queue, synthesizer, RuleJudge(), written
    )


def assemble(parts: CascadeParts, name: str) -> CascadeInstance:
    """An instance whose name ends in "b" is the second of its pair."""
    state_model = EmbeddedInstance(parts.bundle, name)
    speech: SpeechSource
    if parts.synthesizer is None:
        speech = NanoSpeechSource(parts.bundle, state_model.worker)
    else:
        speech = SynthesizedSpeechSource(parts.synthesizer)
    chat = parts.chats[-1 if name.endswith("b") else 0]
    return CascadeInstance(
        name, state_model, chat, speech, parts.transcription, parts.judge, parts.languages
    )
