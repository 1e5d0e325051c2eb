"""What a VITA checkpoint's vision tower gets of a picture."""

from __future__ import annotations

from typing import Final

from models.base import BadInput, ImageDetail, UserImage
from models.capabilities import FRAMES_READ
from models.engines.prompt import Array
from models.vita.config import VisionConfig
from models.vita.images import MOST_TILES, centre_crop, normalise, tiles

# Of a stream's free tokens, what one picture may take. 1920x1080 needs nine times 256 of them.
SHARE_OF_ROOM: Final[dict[ImageDetail, float]] = {"low": 0.0, "auto": 0.25, "high": 0.6}

# Of a conversation's tokens, what the frames of a video in a row may take; upstream's training has
# 4 to 16 of them, one a second.
FRAMES_SHARE: Final = 0.25
MOST_FRAMES: Final = 16


def frames_read(context: int, vision: VisionConfig | None) -> int:
    """How many frames of a video in a row a stream of `context` tokens is given."""
    if vision is None:
        return FRAMES_READ
    fitting = int(FRAMES_SHARE * context) // vision.tokens
    return max(FRAMES_READ, min(MOST_FRAMES, fitting))


def picture_tiles(image: UserImage, room: int, vision: VisionConfig | None) -> Array:
    """Normalised tiles [n, 3, side, side] of a picture, for a stream with room for `room` tokens.

    A frame of a video is cropped to its middle, as in VITA's training. A still picture is cut into
    as many tiles as its shape asks for and the room allows, with the whole behind them. Raises
    BadInput where the checkpoint cannot see.
    """
    if vision is None:
        raise BadInput("this model cannot see: its checkpoint has no vision tower")
    if image.is_frame:
        return normalise(centre_crop(image.pixels, vision.image)[None])
    share = int(SHARE_OF_ROOM[image.detail] * room)
    most = max(1, min(MOST_TILES, share // vision.tokens - 1))  # and the whole
    return normalise(tiles(image.pixels, most, vision.image))
