"""How many pieces an image file is put together from, counted before anything reads it.

The time that a decoder needs grows with its pixels, which are bounded, and with its pieces: a
progressive JPEG of some megabytes can have a hundred thousand scans, each of which goes over the
whole picture, and a GIF a million comments. The walk here is linear and makes nothing.
Formats: PNG (W3C PNG, 5), GIF89a, JPEG (ITU-T T.81, annex B), WebP (RFC 9649).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

MOST_PIECES = 16_384  # chunks of a PNG or WebP, segments of a JPEG, blocks before a GIF's picture
MOST_SCANS = 64  # of a JPEG; encoders make ten or so

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_SCAN = b"\xff\xda"
_EXTENSION = 0x21


def is_fragmented(data: bytes) -> bool:
    """Whether a file has more pieces than an encoder ever makes; False for what is no image."""
    if data.startswith(_JPEG):
        return data.count(_SCAN) > MOST_SCANS or _are_many(_jpeg_segments(data))
    if data.startswith(_PNG):
        return _are_many(_chunks(data, len(_PNG), "big", behind=4))
    if data.startswith(b"GIF8"):
        return _are_many(_gif_blocks(data))
    if data.startswith(b"RIFF"):
        return _are_many(_chunks(data, 12, "little", behind=0))
    return False


def _are_many(pieces: Iterator[int]) -> bool:
    return next(islice(pieces, MOST_PIECES, None), None) is not None


def _chunks(data: bytes, at: int, order: str, *, behind: int) -> Iterator[int]:
    """Where each chunk begins: four bytes of length and four of name, those the other way round in
    a RIFF file; `behind`: bytes of a checksum."""
    length_at = 0 if order == "big" else 4
    while at + 8 <= len(data):
        yield at
        start = at + length_at
        length = int.from_bytes(data[start : start + 4], "big" if order == "big" else "little")
        padding = 0 if order == "big" else length % 2
        at += 8 + length + padding + behind


def _jpeg_segments(data: bytes) -> Iterator[int]:
    """Where each segment before the first scan begins; bytes that fill are pieces too."""
    at = len(_JPEG)
    while at + 4 <= len(data) and data[at : at + 2] != _SCAN:
        yield at
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at += 1
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))


def _gif_blocks(data: bytes) -> Iterator[int]:
    """Where each block before the first picture begins."""
    if len(data) < 13:
        return
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while at + 2 <= len(data) and data[at] == _EXTENSION:
        yield at
        at += 2
        while at < len(data) and data[at]:
            yield at
            at += 1 + data[at]
        at += 1
