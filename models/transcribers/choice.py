"""Which transcriber a setting means."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from models.base import InstanceFailed, Transcriber
from models.moonshine import MoonshineUnavailable, load
from models.vita.config import LANGUAGES

logger = logging.getLogger(__name__)
ENGLISH: Final = "en"


def open_transcriber(
    choice: str, language: str = ENGLISH, model: str = "", key: str = ""
) -> Transcriber | None:
    """ "auto": Moonshine where it is installed and English is spoken, else nano's own letters;
    "moonshine"; "nano"; the address of a server with /v1/audio/transcriptions; or the folder of a
    faster-whisper model. None stands for nano. The log says where the language cannot be heard.

    Raises InstanceFailed for one that cannot be had, ValueError for anything else.
    """
    if choice == "nano":
        _warn_of_nano(language)
        return None
    if choice in ("auto", "moonshine"):
        return _moonshine(choice, language)
    if choice.startswith(("http://", "https://")):
        from models.transcribers.endpoint import EndpointTranscriber

        return EndpointTranscriber(choice, model, language, key)
    if Path(choice).is_dir():
        from models.transcribers.whisper import WhisperTranscriber

        return WhisperTranscriber(Path(choice), language)
    raise ValueError(
        f"a transcriber is auto, moonshine, nano, an http address or a folder, not {choice!r}"
    )


def _moonshine(choice: str, language: str) -> Transcriber | None:
    reason = f"Moonshine hears English only, not {language!r}"
    if language == ENGLISH:
        try:
            return load()
        except MoonshineUnavailable as error:
            reason = f"Moonshine cannot be used: {error}"
    if choice == "moonshine":
        raise InstanceFailed(reason)
    logger.warning("%s", reason)
    _warn_of_nano(language)
    return None


def _warn_of_nano(language: str) -> None:
    """Say at the start what it means that nano's own letters are the transcript."""
    if language not in LANGUAGES:
        logger.warning(
            "the language %r cannot be heard: nano spells English and Chinese only; set "
            "cascade.transcriber to one that knows it",
            language,
        )
    elif language != ENGLISH:
        logger.warning(
            "nano spells what is said as syllables without tones, of which a language model "
            "understands little; set cascade.transcriber to one that knows %r",
            language,
        )
    else:
        logger.warning("nano spells what is said, letter by letter")
