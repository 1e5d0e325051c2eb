"""Shared by the server's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from server.realtime.encode import Encoder
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds
from tests.server.house import House


@pytest.fixture
def new_encoder() -> Callable[..., Encoder]:
    def new(session: SessionConfig | None = None, recordings: dict[str, Any] | None = None) -> Any:
        ledger = WireIds("t")
        found = recordings or {}
        return Encoder(ledger, session or SessionConfig(), found.get, expires_at=2_000_000_000)

    return new


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A server with two conversations' room, two keys, and scripted models."""
    async with House() as running:
        yield running
