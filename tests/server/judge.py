"""The openai package's own types as judges of what the server sends."""

from __future__ import annotations

from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def check_event(event: dict[str, Any]) -> None:
    """Raises where a standard event is not what the openai package describes."""
    assert event["event_id"]
    if not event["type"].startswith("antiphon."):
        assert SERVER_EVENT.validate_python(event).type == event["type"]
