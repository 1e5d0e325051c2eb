"""A small random model of SmolLM2's form: its file, its graph, and random changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.smollm import checkpoint, network
from models.smollm.chat import Chat
from models.smollm.gguf import GgufFile
from models.smollm.network import SmolNetwork
from models.smollm.weights import JOINED, Changes
from models.training.smollm import graph
from tests.models.smollm import gguf_writer

GGUF, GRAPH, CHANGES = "small.gguf", "language.onnx", "changes.npz"


def random_changes(gguf: Path) -> Changes:
    """Of rank 2 on every linear map, and rows for all markers."""
    random = np.random.default_rng(1)
    with GgufFile(gguf) as file:
        config, chat = checkpoint.configuration(file), Chat(checkpoint.tokenizer(file))
        held = {
            f"{layer}.{name}": values
            for layer in range(config.layers)
            for name, values in checkpoint.layer_tensors(file, config, layer)
        }
    maps = {each for joined in JOINED.values() for each in joined}
    shapes = {
        name.removesuffix(".weight"): values.shape
        for name, values in held.items()
        if name.partition(".")[2].removesuffix(".weight") in maps
    }

    def drawn(*shape: int) -> npt.NDArray[np.float32]:
        return random.standard_normal(shape, np.float32) * np.float32(0.2)

    return Changes(
        2.0,
        {name: drawn(2, inner) for name, (_, inner) in shapes.items()},
        {name: drawn(out, 2) for name, (out, _) in shapes.items()},
        {marker: drawn(config.width) * 20 for marker in chat.markers},
    )


def write(folder: Path) -> Path:
    """GGUF, GRAPH and CHANGES in a folder."""
    gguf = gguf_writer.write(folder / GGUF)
    with GgufFile(gguf) as file:
        graph.write(checkpoint.configuration(file), network.POSITIONS, folder / GRAPH)
    random_changes(gguf).write(folder / CHANGES)
    return folder


def load(folder: Path) -> SmolNetwork:
    """The model that `write` wrote."""
    return network.load(folder / GGUF, folder / GRAPH, folder / CHANGES)
