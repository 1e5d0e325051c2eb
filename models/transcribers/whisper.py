"""A faster-whisper model on this machine, for languages that Moonshine does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.base import InstanceFailed, Samples


class WhisperTranscriber:
    """A models.base.Transcriber over a CTranslate2 folder; wants the extra `whisper`."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        """Raises InstanceFailed where the package is missing, the folder cannot be read, or its
        model does not know the language."""
        try:
            from faster_whisper import WhisperModel
        except ModuleNotFoundError as error:
            raise InstanceFailed("faster-whisper is not installed: antiphon[whisper]") from error
        try:
            self._model: Any = WhisperModel(str(folder), device="auto", compute_type="default")
        except (RuntimeError, ValueError, OSError) as error:
            raise InstanceFailed(f"{folder} cannot be read by faster-whisper: {error}") from error
        if language not in self._model.supported_languages:
            raise InstanceFailed(f"the model in {folder} does not know the language {language!r}")
        self._language = language

    def transcribe(self, samples: Samples) -> str:
        """The words in samples [n] at 16 kHz."""
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=1,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)
