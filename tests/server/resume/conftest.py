"""Shared by the tests of calls that go on elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from server.config import ResumeSettings
from tests.server.resume.test_stores import redis_server


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[dict[str, ResumeSettings]]:
    """The settings of two servers that share a real Redis."""
    async with redis_server(tmp_path) as url:
        keys = [Fernet.generate_key().decode()]
        yield {
            name: ResumeSettings.model_validate({"store": url, "keys": keys, "server": name})
            for name in ("one", "two")
        }
