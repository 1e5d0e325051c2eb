"""The vision tower and the projector: equal to the reference."""

from __future__ import annotations

import torch

from models.vita.config import VisionConfig
from models.vita.images import normalise
from models.vita.vision import Projector, VisionTower, pixel_shuffle
from tests.models.vita.golden import assert_close, expected, needs_golden, weights

TINY = VisionConfig(width=32, layers=2, heads=4, feed_forward=64, image=112)


@needs_golden
def test_tokens_are_those_of_the_reference() -> None:
    wanted = expected("vita15_tiny")
    tower, projector = VisionTower(TINY), Projector(TINY, 48)
    tower.load_state_dict(weights("model.vision_tower.vision_tower."))
    projector.load_state_dict(weights("model.mm_projector."))
    pixels = normalise(wanted["vision.image_uint8"].permute(0, 2, 3, 1).numpy())
    with torch.no_grad():
        images = torch.from_numpy(pixels)
        assert_close(tower.embeddings(images), wanted["vision.embeddings"])
        assert_close(tower.hidden(images), wanted["vision.last_hidden"])
        assert_close(tower(images), wanted["vision.tower_out"])
        assert_close(projector(tower(images)), wanted["vision.projected"])


def test_pixel_shuffle_folds_neighbours() -> None:
    """One channel that counts the patches of a 4x4 square: each token has a 2x2 block of them."""
    square = torch.arange(16.0).view(1, 4, 4, 1)
    folded = pixel_shuffle(square, 2)
    assert folded.shape == (1, 2, 2, 4)
    assert folded[0, 0, 0].tolist() == [0, 1, 4, 5]
    assert folded[0, 1, 0].tolist() == [8, 9, 12, 13]


def test_a_tile_is_256_tokens_at_the_released_size() -> None:
    assert VisionConfig().tokens == 256
