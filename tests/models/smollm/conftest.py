"""A small random model of SmolLM2's form: its file, its graph, and random changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.smollm import checkpoint, network
from models.smollm.chat import Chat
from models.smollm.gguf import GgufFile
from models.smollm.network import SmolNetwork
from models.smollm.weights import JOINED, Changes
from models.training.smollm import graph
from tests.models.smollm import gguf_writer


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_writer.write(tmp_path_factory.mktemp("smollm") / "small.gguf")


@pytest.fixture(scope="session")
def changes(gguf: Path) -> Changes:
    """Of rank 2 on every linear map, and rows for all markers."""
    random = np.random.default_rng(1)
    with GgufFile(gguf) as file:
        config, chat = checkpoint.configuration(file), Chat(checkpoint.tokenizer(file))
        shapes = {
            f"{layer}.{name}": dict(checkpoint.layer_tensors(file, config, layer))[
                f"{name}.weight"
            ].shape
            for layer in range(config.layers)
            for maps in JOINED.values()
            for name in maps
        }

    def drawn(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return (random.standard_normal(shape) * 0.2).astype(np.float32)

    return Changes(
        2.0,
        {name: drawn(2, inner) for name, (_, inner) in shapes.items()},
        {name: drawn(out, 2) for name, (out, _) in shapes.items()},
        {marker: drawn(config.width) * 20 for marker in chat.markers},
    )


@pytest.fixture(scope="session")
def folder(gguf: Path, changes: Changes) -> Path:
    """With language.onnx and changes.npz."""
    with GgufFile(gguf) as file:
        graph.write(
            checkpoint.configuration(file), network.POSITIONS, gguf.parent / "language.onnx"
        )
    changes.write(gguf.parent / "changes.npz")
    return gguf.parent


@pytest.fixture(scope="session")
def small(folder: Path) -> SmolNetwork:
    return network.load(folder / "small.gguf", folder / "language.onnx", folder / "changes.npz")
