"""Files that are put together from very many pieces are told from those that encoders make."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image

from server.realtime.image_pieces import MOST_PIECES, MOST_SCANS, is_fragmented
from server.realtime.images import read_image
from server.realtime.refusal import Refusal


def encoded(form: str, **options: object) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def gif_of_comments(count: int) -> bytes:
    whole = encoded("GIF")
    end = 13 + (3 << (whole[10] & 7) + 1)
    return whole[:end] + b"\x21\xfe\x01x\x00" * count + whole[end:]


def gif_of_subblocks(count: int) -> bytes:
    whole = encoded("GIF")
    end = 13 + (3 << (whole[10] & 7) + 1)
    return whole[:end] + b"\x21\xfe" + b"\x01x" * count + b"\x00" + whole[end:]


def png_of_chunks(count: int) -> bytes:
    whole = encoded("PNG")
    return whole[:33] + (bytes(4) + b"teSt" + b"\x00" * 4) * count + whole[33:]


def jpeg_of_segments(count: int) -> bytes:
    whole = encoded("JPEG")
    return whole[:2] + b"\xff\xfe\x00\x02" * count + whole[2:]


def jpeg_of_scans(count: int) -> bytes:
    """The last scan of a progressive file, again and again."""
    whole = encoded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * count + whole[-2:]


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("PNG", {"optimize": True}),
        ("GIF", {}),
        ("JPEG", {"quality": 95}),
        ("JPEG", {"progressive": True, "comment": b"a comment"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_what_encoders_make_is_read(form: str, options: dict[str, object]) -> None:
    data = encoded(form, **options)
    assert not is_fragmented(data)
    url = f"data:image/{form.lower()};base64,{base64.b64encode(data).decode()}"
    assert read_image(url, "image_url").size == (400, 300)


@pytest.mark.parametrize(
    "data",
    [
        gif_of_comments(2_000_000),
        gif_of_subblocks(4_000_000),
        png_of_chunks(800_000),
        jpeg_of_segments(2_400_000),
        jpeg_of_scans(MOST_SCANS + 1),
        encoded("JPEG")[:2] + b"\xff" * 9_000_000,
        b"RIFF" + bytes(4) + b"WEBP" + (b"EXIF" + bytes(4)) * 1_000_000,
    ],
    ids=["comments", "sub-blocks", "chunks", "segments", "scans", "fill bytes", "riff"],
)
def test_a_file_of_very_many_pieces_is_refused_at_once(data: bytes) -> None:
    url = f"data:image/png;base64,{base64.b64encode(data[: 10 * 2**20]).decode()}"
    began = time.process_time()
    with pytest.raises(Refusal) as caught:
        read_image(url, "item.content[0].image_url")
    assert time.process_time() - began < 1
    assert caught.value.param == "item.content[0].image_url"
    assert "pieces" in caught.value.message


def test_a_torn_or_foreign_file_is_not_walked_over_its_end() -> None:
    assert MOST_PIECES > 1000
    for whole in (encoded("PNG"), encoded("GIF"), encoded("JPEG"), encoded("WEBP")):
        for size in (0, 1, 2, 7, 12, 20, len(whole) // 2):
            assert not is_fragmented(whole[:size])


@pytest.mark.parametrize("size", range(12, 20))
def test_a_torn_file_has_few_pieces(size: int) -> None:
    """Wherever it is torn, the walk ends with it."""
    gif = b"GIF89a" + bytes(7) + b"\x21\xfe\x05hello\x00\x2c"
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb"
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + bytes(17)
    for file in (gif, jpeg, png, b"RIFF" + bytes(20)):
        assert not is_fragmented(file[:size])


def test_bytes_that_only_fill_are_pieces_too() -> None:
    for filling in (b"\xff\x00", b"\xff\xff", b"\x00\x00"):
        assert is_fragmented(b"\xff\xd8" + filling * MOST_PIECES)
