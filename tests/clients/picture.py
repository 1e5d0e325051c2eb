"""A picture for the programs, made with the standard library."""

from __future__ import annotations

import base64
import struct
import zlib


def red_square(size: int = 64) -> str:
    """A red square as a PNG in a data URL."""
    rows = b"".join(b"\0" + b"\xd0\x10\x10" * size for _ in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
