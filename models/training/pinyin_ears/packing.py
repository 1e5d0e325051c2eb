"""Writes the speller as the server reads it: two networks with 8-bit weights."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from models.engines.bundle import CONFIG, SPELLING, SPELLING_ADAPTER, BundleConfig
from models.moonshine import WIDTH
from models.training.export import quantise, write_graph
from models.training.graphs import SpelledGraph
from models.training.listener import LETTERS
from models.training.pinyin_ears.network import SpellingNetwork
from models.vita.nano_network import read_nano
from models.vita.spelled_tower import SpelledTower

_EXAMPLE, _MOST = 50, 1_024  # frames: 41 s at most


def tower_in(stages: Path, nano: Path) -> SpelledTower:
    """Of the weights that nano's training goes on from. Raises CheckpointRefused, BadBundle."""
    config = BundleConfig.from_json((nano / CONFIG).read_bytes())
    tower = read_nano(stages, config.model).tower
    assert isinstance(tower, SpelledTower)
    return tower


def pack(network: SpellingNetwork, tower: SpelledTower, target: Path) -> None:
    """Write both networks into the folder."""
    with TemporaryDirectory() as name:
        exact = Path(name)
        write_speller(network, tower, exact)
        quantise(exact, target)


def write_speller(network: SpellingNetwork, tower: SpelledTower, folder: Path) -> None:
    """Both networks with weights of 32-bit floats."""
    shapes = ({1: torch.export.Dim("t", min=2, max=_MOST)},)
    frames, letters = torch.zeros(1, _EXAMPLE, WIDTH), torch.zeros(1, _EXAMPLE, LETTERS)
    write_graph(network.eval(), (frames,), ["frames"], ["letters"], shapes, folder / SPELLING)
    adapter = SpelledGraph(tower)
    write_graph(adapter, (letters,), ["letters"], ["vectors"], shapes, folder / SPELLING_ADAPTER)
