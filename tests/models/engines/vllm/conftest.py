"""tests: real engines on the CPU; what needs them is left out where vLLM is not installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from models.engines.vllm.engines import Engines

REAL = ["test_conformance.py", "test_nano.py", "test_vita.py", "test_death.py", "test_served.py"]
collect_ignore = [] if find_spec("vllm") else REAL


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nano() -> AsyncIterator[Engines]:
    """The bundled model on two engines."""
    from tests.models.engines.vllm.engine_room import NANO, running

    async with running(NANO, topology="dual") as engines:
        yield engines


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vita(released: Path) -> AsyncIterator[Engines]:
    """A tiny VITA-1.5 folder on one engine for both instances."""
    from tests.models.engines.vllm.engine_room import running

    async with running(released, topology="single") as engines:
        yield engines
