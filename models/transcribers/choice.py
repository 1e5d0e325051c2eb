"""Which transcriber a setting means."""

from __future__ import annotations

import logging
from pathlib import Path

from models.base import InstanceFailed, Transcriber
from models.moonshine import MoonshineUnavailable, load

logger = logging.getLogger(__name__)
ENGLISH = "en"


def open_transcriber(
    choice: str, language: str = ENGLISH, model: str = "", key: str = ""
) -> Transcriber | None:
    """ "auto": Moonshine where it is installed and English is spoken, else nano's own letters;
    "moonshine"; "nano"; the address of a server with /v1/audio/transcriptions; or the folder of a
    faster-whisper model. None stands for nano.

    Raises InstanceFailed for one that cannot be had, ValueError for anything else.
    """
    if choice == "nano":
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
    if language != ENGLISH:
        reason = f"Moonshine hears English only, not {language!r}"
        if choice == "moonshine":
            raise InstanceFailed(reason)
        logger.warning("%s: nano spells what is said; set a transcriber that knows it", reason)
        return None
    try:
        return load()
    except MoonshineUnavailable as error:
        if choice == "moonshine":
            raise InstanceFailed(str(error)) from error
        logger.warning("Moonshine cannot be used (%s): nano spells what is said", error)
        return None
