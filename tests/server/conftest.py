"""Shared by the server's tests: the openai package's own types as judges, and an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from server.realtime.encode import Encoder
from server.realtime.ledger import Ledger
from server.realtime.session_config import SessionConfig

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def check_event(event: dict[str, Any]) -> None:
    """Raises where a standard event is not what the openai package describes."""
    assert event["event_id"]
    if not event["type"].startswith("antiphon."):
        assert SERVER_EVENT.validate_python(event).type == event["type"]


@pytest.fixture
def new_encoder() -> Callable[..., Encoder]:
    def new(session: SessionConfig | None = None, recordings: dict[str, Any] | None = None) -> Any:
        ledger = Ledger("t", lambda _: None)
        found = recordings or {}
        return Encoder(ledger, session or SessionConfig(), found.get, expires_at=2_000_000_000)

    return new
