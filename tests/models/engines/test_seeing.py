"""Nano's eyes in the engines: what a stream of onnxruntime or of torch reads of a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from models.base import BadInput, Conversation, UserImage, UserText
from models.engines.bundle import Bundle
from models.engines.embedded import no_device
from models.engines.memory import PromptMemory
from models.engines.nano_model import NanoDecoder, NanoModel
from models.engines.networks import Networks
from models.training.export import Parts
from models.vita.images import normalise, tiles
from tests.models.engines.conftest import torch_networks

pytestmark = pytest.mark.timeout(300)  # the first of all exports a model

TOKENS = 4  # of one picture
RED = np.full((30, 40, 3), (220, 20, 20), np.uint8)
BLUE = np.full((50, 40, 3), (20, 20, 220), np.uint8)


@pytest.fixture(scope="module")
def networks(parts: Parts, exact_folder: Path, bundle: Bundle) -> dict[str, Networks]:
    return {"exact": Bundle.read(exact_folder), "eight": bundle, "torch": torch_networks(parts)}


def remembering(networks: Networks) -> PromptMemory:
    memory = NanoModel(networks, None, no_device).remember()
    for _ in memory.begin(Conversation()):
        pass
    return memory


def read(memory: PromptMemory, *items: UserImage | UserText) -> None:
    for item in items:
        for _ in memory.reading(item):
            pass


def opened(memory: PromptMemory) -> np.ndarray:
    """Begin an answer: the logits of its first token."""
    for _ in memory.open_answer("", ()):
        pass
    assert memory.is_opened
    return cast(NanoDecoder, memory.cache.decoder).logits.copy()


@pytest.mark.parametrize("picture", [RED, BLUE])
def test_vectors_are_those_of_the_reference(
    parts: Parts, networks: dict[str, Networks], picture: np.ndarray
) -> None:
    vision = parts.config.model.vision
    assert parts.eyes is not None and vision is not None
    tile = normalise(tiles(picture, 1, vision.image))
    expected = parts.eyes(torch.from_numpy(tile))[0].numpy()
    assert expected.shape == (vision.tokens, parts.config.model.language.width)
    for name, allowed in (("torch", 1e-5), ("exact", 1e-4), ("eight", 0.03)):
        difference = np.abs(networks[name].look(tile) - expected).max()
        assert difference <= allowed * np.abs(expected).max(), name


@pytest.mark.parametrize("name", ["exact", "torch"])
def test_a_picture_stands_in_the_user_s_turn(networks: dict[str, Networks], name: str) -> None:
    memory = remembering(networks[name])
    before = memory.room()
    read(memory, UserImage(RED))
    assert before - memory.room() == 1 + 1 + TOKENS  # <user> <image> vectors
    assert memory.state.talk.open and not memory.state.talk.spoken
    read(memory, UserImage(BLUE))
    assert before - memory.room() == 1 + 2 * (1 + TOKENS)


@pytest.mark.parametrize("name", ["exact", "eight", "torch"])
def test_what_follows_depends_on_what_was_seen(networks: dict[str, Networks], name: str) -> None:
    scores = []
    for picture in (RED, BLUE, RED):
        memory = remembering(networks[name])
        read(memory, UserImage(picture), UserText("what is it"))
        scores.append(opened(memory))
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
    first, second = opened(memory), opened(plain)
    assert np.allclose(first, second, atol=1e-4)


def test_the_blind_say_so(bundle: Bundle) -> None:
    model = replace(bundle.config.model, vision=None)
    blind = replace(bundle, config=replace(bundle.config, model=model), vision=None)
    memory = remembering(blind)
    room = memory.room()
    with pytest.raises(BadInput, match="cannot see"):
        read(memory, UserImage(RED))
    assert memory.room() == room
    read(memory, UserText("hello"))
