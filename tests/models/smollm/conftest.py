"""One small random model for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.smollm.network import SmolNetwork
from models.smollm.weights import Changes
from tests.models.smollm import small_model


@pytest.fixture(scope="session")
def smollm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model.write(tmp_path_factory.mktemp("smollm"))


@pytest.fixture(scope="session")
def gguf(smollm_folder: Path) -> Path:
    return smollm_folder / small_model.GGUF


@pytest.fixture(scope="session")
def changes(gguf: Path) -> Changes:
    return small_model.random_changes(gguf)


@pytest.fixture(scope="session")
def small(smollm_folder: Path) -> SmolNetwork:
    return small_model.load(smollm_folder)
