"""tests: real engines on the CPU; what needs them is left out where vLLM is not installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
import pytest_asyncio

from models.vita.config import VitaConfig
from tests.models.vita import released_folder

if TYPE_CHECKING:
    from models.engines.vllm.engines import Engines

REAL = ["test_conformance.py", "test_nano.py", "test_vita.py", "test_death.py", "test_served.py",
        "test_mixtral.py", "test_preloading.py", "test_served_model.py"]  # fmt: skip
collect_ignore = [] if find_spec("vllm") else REAL


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nano() -> AsyncIterator[Engines]:
    """The bundled model on two engines."""
    from tests.models.engines.vllm.engine_room import NANO, running

    async with running(NANO, topology="dual") as engines:
        yield engines


def write_wide(folder: Path, kind: str) -> Path:
    """A tiny checkpoint in the released layout, with heads as wide as vLLM's CPU kernels want."""
    usual = released_folder.config

    def wide(kind: str, vocabulary: int) -> VitaConfig:
        config = usual(kind, vocabulary)
        return replace(config, language=replace(config.language, heads=2, key_value_heads=1))

    with patch.object(released_folder, "config", wide):
        return released_folder.write_released(folder, kind)


@pytest.fixture(scope="session")
def vita_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wide(tmp_path_factory.mktemp("wide") / "VITA-1.5", "vita-1.5")


@pytest.fixture(scope="session")
def mixtral_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wide(tmp_path_factory.mktemp("wide") / "VITA-1.0", "vita-1.0")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vita(vita_folder: Path) -> AsyncIterator[Engines]:
    """Its language model on one engine for both instances."""
    from tests.models.engines.vllm.engine_room import running

    async with running(vita_folder, topology="single") as engines:
        yield engines
