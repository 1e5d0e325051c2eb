"""An input_image's data URL: measured first, decoded to pixels later."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.base import ImageDetail, UserImage
from server.realtime.formats import decode_base64
from server.realtime.image_pieces import is_fragmented
from server.realtime.refusal import Refusal

MAX_BYTES = 10 * 2**20
# Of one picture, from its header: a small file can be a huge picture, and decoding some formats
# takes 16 bytes a pixel for a moment.
MAX_PIXELS = 12_582_912
MAX_SIDE = 1024  # models look at less; a larger picture would only fill the memory
KEPT_IMAGES = 8  # of a video, the last so many are in the conversation

_FORMATS = ["PNG", "JPEG", "WEBP", "GIF"]
_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture whose header has been read: `size` is its width and height in pixels."""

    data: bytes
    size: tuple[int, int]
    detail: ImageDetail
    param: str

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def decoded_bytes(self) -> int:
        """The size in bytes of what `decode` will give."""
        scale = min(1.0, MAX_SIDE / max(self.size))
        width, height = (max(1, round(side * scale)) for side in self.size)
        return width * height * 3

    def decode(self) -> UserImage:
        """[height, width, 3] RGB, at most MAX_SIDE on a side; takes up to half a second. Raises
        Refusal for a torn file."""
        try:
            with Image.open(io.BytesIO(self.data), formats=_FORMATS) as image:
                image.thumbnail((MAX_SIDE, MAX_SIDE))
                return UserImage(np.asarray(image.convert("RGB"), dtype=np.uint8), self.detail)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise Refusal("The image is damaged.", param=self.param) from None


def read_image(url: str, param: str, detail: ImageDetail = "auto") -> EncodedImage:
    """The picture of a data URL, of which only the header is read.

    Raises Refusal for any other URL (the server fetches nothing), and for what is no picture or
    too large a one.
    """
    head = _DATA_URL.match(url)
    if head is None:
        raise Refusal("Only image data URLs (data:image/...;base64,...) are taken.", param=param)
    if len(url) > MAX_BYTES * 4 // 3 + 256:
        raise Refusal(f"The image is larger than {MAX_BYTES} bytes.", param=param)
    data = decode_base64(url[head.end() :], param)
    if is_fragmented(data):
        raise Refusal("The image is put together from too many pieces.", param=param)
    size = _size(data, param)
    if not 0 < size[0] * size[1] <= MAX_PIXELS:
        raise Refusal(f"The image has more than {MAX_PIXELS} pixels.", param=param)
    return EncodedImage(data, size, detail, param)


def _size(data: bytes, param: str) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.size
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise Refusal(f"The image cannot be read: {error}.", param=param) from None
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a torn file
        raise Refusal("The image is damaged.", param=param) from None
