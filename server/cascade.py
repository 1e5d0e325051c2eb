"""The parts of a cascade as the settings name them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from models.base import Transcriber
from server.config import ServerSettings

if TYPE_CHECKING:
    from models.engines.cascade.chat_endpoint import ChatSettings

logger = logging.getLogger(__name__)


def cascade_options(settings: ServerSettings) -> dict[str, Any]:
    """What the cascade's `load` wants to know beside the folder and the synthesizer. Raises
    ConfigurationError; InstanceFailed for a transcriber that cannot be had."""
    from models.engines.cascade.chat_endpoint import ChatEndpoint
    from models.vita.config import LANGUAGES

    chats = [ChatEndpoint(each) for each in chat_settings(settings)]
    language = settings.cascade.language
    if language not in LANGUAGES:
        logger.warning("nano judges turns by English and Chinese only: in %r it guesses", language)
        if not settings.synthesizer:
            logger.warning("nano cannot say %r: set a synthesizer that can", language)
    transcriber = chosen_transcriber(settings)
    return {"chats": chats, "transcriber": transcriber, "languages": (language,)}


def chat_settings(settings: ServerSettings) -> list[ChatSettings]:
    """How each address of a language model is asked. Raises ConfigurationError."""
    from models.engines.cascade.chat_endpoint import SPOKEN_STYLE, ChatSettings

    asked, key = settings.cascade, settings.llm_secret
    return [
        ChatSettings(
            url=address,
            model=settings.llm_model,
            key=key,
            capacity=asked.capacity,
            first_patience=asked.first_seconds,
            next_patience=asked.next_seconds,
            style=SPOKEN_STYLE if asked.style is None else asked.style,
            extra=asked.extra,
            warms=asked.warm_up == "on"
            or (asked.warm_up == "auto" and not address.startswith("https://")),
        )
        for address in settings.llm
    ]


def chosen_transcriber(settings: ServerSettings) -> Transcriber | None:
    """Who writes down what is said; None: nano spells it."""
    from models.transcribers.choice import open_transcriber

    asked = settings.cascade
    key = asked.transcriber_key.get_secret_value()
    return open_transcriber(asked.transcriber, asked.language, asked.transcriber_model, key)
