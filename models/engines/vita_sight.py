"""What a VITA checkpoint's vision tower gets of a picture."""

from __future__ import annotations

from typing import Final

from models.base import BadInput, ImageDetail, UserImage
from models.engines.prompt import Array
from models.vita.config import VisionConfig
from models.vita.images import MOST_TILES, centre_crop, normalise, tiles

# Of a stream's free tokens, what one picture may take. 1920x1080 needs nine times 256 of them.
SHARE_OF_ROOM: Final[dict[ImageDetail, float]] = {"low": 0.0, "auto": 0.25, "high": 0.6}


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
