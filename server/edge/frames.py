"""Counts the frames in a client's bytes, without decoding them.

A frame of nothing costs a client six bytes, and the server as much work as any other: so they are
counted before they are parsed.
"""

from __future__ import annotations

_EXTENDED = {126: 2, 127: 8}  # bytes of a longer length
_MASK = 4


class FrameCounter:
    """Follows the boundaries of frames through pieces of bytes, cut anywhere."""

    def __init__(self) -> None:
        self._header = bytearray()  # of a frame whose header is not complete yet
        self._payload = 0  # bytes still to come of the frame that has begun

    def advance(self, data: bytes | bytearray, most: int) -> tuple[int, int]:
        """How far `data` goes until `most` frames have begun in it, and how many have."""
        at = begun = 0
        while at < len(data):
            if self._payload:
                step = min(self._payload, len(data) - at)
                self._payload -= step
                at += step
            elif begun == most:
                break
            else:
                taken = self._take_header(data, at)
                at += taken
                begun += not self._header
        return at, begun

    def _take_header(self, data: bytes | bytearray, at: int) -> int:
        """Take bytes of a header; when it is complete, `_payload` is known."""
        header, before = self._header, len(self._header)
        header += data[at : at + max(0, 2 - before)]
        if len(header) < 2:
            return len(header) - before
        length = header[1] & 0x7F
        extended = _EXTENDED.get(length, 0)
        size = 2 + extended + (_MASK if header[1] & 0x80 else 0)
        taken = len(header) - before
        header += data[at + taken : at + taken + size - len(header)]
        taken = len(header) - before
        if len(header) == size:
            self._payload = int.from_bytes(header[2 : 2 + extended]) if extended else length
            header.clear()
        return taken
