"""An input_image's data URL, checked and decoded to pixels."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.base import ImageDetail, UserImage
from server.realtime.formats import decode_base64
from server.realtime.refusal import Refusal

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 25_000_000  # checked before a pixel is decoded: a small file can be a huge picture
MAX_SIDE = 1024  # models look at less; a larger picture would only fill the memory
KEPT_IMAGES = 8  # of a video, the last so many are in the conversation

_FORMATS = ["PNG", "JPEG", "WEBP", "GIF"]
_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)


def decode_image(url: str, param: str, detail: ImageDetail = "auto") -> UserImage:
    """The picture of a data URL, [height, width, 3] RGB, at most MAX_SIDE on a side.

    Raises Refusal for any other URL (the server fetches nothing), and for what is no picture.
    """
    head = _DATA_URL.match(url)
    if head is None:
        raise Refusal("Only image data URLs (data:image/...;base64,...) are taken.", param=param)
    if len(url) > MAX_BYTES * 4 // 3 + 256:
        raise Refusal(f"The image is larger than {MAX_BYTES} bytes.", param=param)
    return UserImage(_pixels(decode_base64(url[head.end() :], param), param), detail)


def _pixels(data: bytes, param: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image.size, param)
            image.thumbnail((MAX_SIDE, MAX_SIDE))
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise Refusal(f"The image cannot be read: {error}.", param=param) from None
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a torn file
        raise Refusal("The image is damaged.", param=param) from None


def _check_size(size: tuple[int, int], param: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise Refusal(f"The image has more than {MAX_PIXELS} pixels.", param=param)
