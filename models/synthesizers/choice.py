"""Which one a setting means."""

from __future__ import annotations

from models.base import Synthesizer
from models.synthesizers.endpoint import EndpointSynthesizer
from models.synthesizers.espeak import PROGRAM, EspeakSynthesizer


def open_synthesizer(choice: str, voice: str = "", key: str = "") -> Synthesizer | None:
    """ "espeak-ng", or the address of a server with /v1/audio/speech; None for an empty choice.

    Raises InstanceFailed where espeak-ng is not installed, ValueError for anything else.
    """
    if not choice:
        return None
    if choice == PROGRAM:
        return EspeakSynthesizer(voice or "en")
    if choice.startswith(("http://", "https://")):
        return EndpointSynthesizer(choice, voice=voice or "alloy", key=key)
    raise ValueError(f"a synthesizer is {PROGRAM} or an http address, not {choice!r}")
