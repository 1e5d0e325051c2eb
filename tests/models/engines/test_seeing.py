"""Nano's eyes in the engines: what a stream of onnxruntime or of torch reads of a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base import Conversation, UserImage, UserText
from models.engines.bundle import Bundle
from models.engines.listening import Listener
from models.engines.memory import Memory
from models.engines.nano_torch import TorchNetworks
from models.engines.networks import Networks
from models.training.export import Parts, export_exact, quantise
from models.vita.config import VisionConfig
from models.vita.images import normalise, tiles
from models.vita.vision import Eyes
from tests.models.engines.conftest import tiny_parts, torch_networks

EYES = VisionConfig(width=32, layers=1, heads=2, feed_forward=64, image=32, patch=8, stem=(8, 16))
RED = np.full((30, 40, 3), (220, 20, 20), np.uint8)
BLUE = np.full((50, 40, 3), (20, 20, 220), np.uint8)


def seeing_parts() -> Parts:
    parts = tiny_parts()
    torch.manual_seed(3)
    model = replace(parts.config.model, vision=EYES, speech=None)
    eyes = Eyes(EYES, model.language.width).eval().requires_grad_(False)
    config = replace(parts.config, model=model)
    return replace(parts, config=config, eyes=eyes, speech=None, codec=None)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return seeing_parts()


@pytest.fixture(scope="module")
def networks(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Networks]:
    exact: Path = export_exact(parts, tmp_path_factory.mktemp("exact"))
    eight = quantise(exact, tmp_path_factory.mktemp("eight"))
    of_torch: TorchNetworks = replace(torch_networks(parts), eyes=parts.eyes)
    return {"exact": Bundle.read(exact), "eight": Bundle.read(eight), "torch": of_torch}


def remembering(networks: Networks) -> Memory:
    memory = Memory(networks, Listener(networks.ears(), networks.config.model))
    for _ in memory.begin(Conversation()):
        pass
    return memory


def read(memory: Memory, *items: UserImage | UserText) -> None:
    for item in items:
        for _ in memory.reading(item):
            pass


@pytest.mark.parametrize("picture", [RED, BLUE])
def test_vectors_are_those_of_the_reference(
    parts: Parts, networks: dict[str, Networks], picture: np.ndarray
) -> None:
    assert parts.eyes is not None
    tile = normalise(tiles(picture, 1, EYES.image))
    expected = parts.eyes(torch.from_numpy(tile))[0].numpy()
    assert expected.shape == (EYES.tokens, parts.config.model.language.width)
    for name, allowed in (("torch", 1e-5), ("exact", 1e-4), ("eight", 0.03)):
        difference = np.abs(networks[name].look(tile) - expected).max()
        assert difference <= allowed * np.abs(expected).max(), name


@pytest.mark.parametrize("name", ["exact", "torch"])
def test_a_picture_stands_in_the_user_s_turn(networks: dict[str, Networks], name: str) -> None:
    memory = remembering(networks[name])
    before = memory.room()
    read(memory, UserImage(RED))
    assert before - memory.room() == 1 + 1 + EYES.tokens  # <user> <image> vectors
    assert memory.state.open and not memory.state.spoken
    read(memory, UserImage(BLUE))
    assert before - memory.room() == 1 + 2 * (1 + EYES.tokens)


@pytest.mark.parametrize("name", ["exact", "eight", "torch"])
def test_what_follows_depends_on_what_was_seen(networks: dict[str, Networks], name: str) -> None:
    scores = []
    for picture in (RED, BLUE, RED):
        memory = remembering(networks[name])
        read(memory, UserImage(picture), UserText("what is it"))
        scores.append(memory.say(memory.answer_ids()).copy())
    assert np.array_equal(scores[0], scores[2])
    assert np.abs(scores[0] - scores[1]).max() > 0.01


def test_a_mark_before_a_picture_forgets_it(networks: dict[str, Networks]) -> None:
    memory = remembering(networks["exact"])
    mark = memory.mark()
    read(memory, UserImage(RED))
    memory.rewind(mark)
    read(memory, UserImage(BLUE), UserText("what is it"))
    plain = remembering(networks["exact"])
    read(plain, UserImage(BLUE), UserText("what is it"))
    first, second = memory.say(memory.answer_ids()), plain.say(plain.answer_ids())
    assert np.allclose(first, second, atol=1e-4)


def test_the_blind_say_so(bundle: Bundle) -> None:
    memory = remembering(bundle)
    room = memory.room()
    with pytest.raises(ValueError, match="cannot see"):
        read(memory, UserImage(RED))
    assert memory.room() == room
