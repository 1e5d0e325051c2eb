"""How many tiles of a picture a VITA checkpoint sees, and which part of a frame."""

from __future__ import annotations

import numpy as np
import pytest

from models.base import BadInput, ImageDetail, UserImage
from models.engines.vita_sight import frames_read, picture_tiles
from models.vita.config import VisionConfig
from models.vita.images import normalise

REAL = VisionConfig()


@pytest.mark.parametrize(
    ("detail", "room", "tiles"),
    [
        ("high", 3_900, 9),  # a fresh conversation of 4,096 tokens
        ("high", 2_000, 3),
        ("high", 300, 1),
        ("auto", 3_900, 3),
        ("auto", 30_000, 9),
        ("low", 30_000, 1),
    ],
)
def test_a_full_hd_picture_has_nine_tiles_where_they_fit(
    detail: ImageDetail, room: int, tiles: int
) -> None:
    image = UserImage(np.zeros((1080, 1920, 3), np.uint8), detail)
    found = picture_tiles(image, room, REAL)
    assert found.shape == (tiles, 3, REAL.image, REAL.image)
    assert tiles * REAL.tokens <= max(REAL.tokens, room)


def test_a_frame_is_cropped_to_its_middle() -> None:
    pixels = np.zeros((400, 1_000, 3), np.uint8)
    pixels[:, 300:700] = 255
    found = picture_tiles(UserImage(pixels, "low"), 4_000, REAL)
    white = normalise(np.full((1, 1, 1, 3), 255, np.uint8))
    assert np.allclose(found[:, :, :, 8:-8], white, atol=0.02)


@pytest.mark.parametrize(
    ("context", "frames"), [(2_048, 4), (4_096, 4), (6_200, 6), (8_192, 8), (32_768, 16)]
)
def test_a_video_has_as_many_frames_as_a_quarter_of_the_conversation_holds(
    context: int, frames: int
) -> None:
    """Upstream's training has four to sixteen, one a second."""
    assert frames_read(context, REAL) == frames
    assert frames_read(context, None) == 4


def test_the_blind_say_so() -> None:
    with pytest.raises(BadInput, match="cannot see"):
        picture_tiles(UserImage(np.zeros((4, 4, 3), np.uint8)), 100, None)
