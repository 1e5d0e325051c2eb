"""The caller's room: a loudspeaker that plays what arrives, at playing speed, and remembers it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audio.frame import EMPTY, Samples
from server.call.timeline import RATE, add
from server.call.voiced import audible_bounds


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Sound of one answer on the time line. `at`: first sample on the line, `offset`: the same
    sample counted in the item, `arrived`: seconds."""

    response_id: str
    item_id: str
    at: int
    offset: int
    samples: Samples
    arrived: float

    @property
    def end(self) -> int:
        return self.at + len(self.samples)


class Speaker:
    """Playout as a client does it: a queue that starts when sound arrives, and a flush.

    Times are seconds of the call; positions are samples at 24 kHz.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []  # as played: cut by a flush
        self.arrived: list[Piece] = []  # as received: never cut
        self.underruns = 0
        self.underrun_seconds = 0.0
        self._end = 0
        self._received: dict[str, int] = {}

    def push(self, response_id: str, item_id: str, samples: Samples, now: float) -> Piece:
        """Queue samples [n] that have just arrived."""
        offset = self._received.get(item_id, 0)
        at = max(round(now * RATE), self._end)
        if offset and at > self._end and self.pieces and self.pieces[-1].item_id == item_id:
            self.underruns += 1
            self.underrun_seconds += (at - self._end) / RATE
        piece = Piece(response_id, item_id, at, offset, samples, now)
        self._received[item_id] = offset + len(samples)
        self._end = piece.end
        self.pieces.append(piece)
        self.arrived.append(piece)
        return piece

    def flush(self, now: float) -> str | None:
        """Drop what has not been played; the item that was cut, None if nothing was queued."""
        edge = round(now * RATE)
        if self._end <= edge:
            return None
        cut = next(piece for piece in self.pieces if piece.end > edge)
        self.pieces = [_before(piece, edge) for piece in self.pieces if piece.at < edge]
        self._end = edge
        return cut.item_id

    def queued(self, now: float) -> float:
        """Seconds of sound that are still to be played."""
        return max(0.0, self._end / RATE - now)

    def played(self, item_id: str, now: float) -> int:
        """Samples of an item that have left the speaker."""
        edge = round(now * RATE)
        pieces = [piece for piece in self.pieces if piece.item_id == item_id]
        return sum(len(_before(piece, edge).samples) for piece in pieces if piece.at < edge)

    def read(self, start: int, count: int) -> Samples:
        """Samples [count] of the room as the speaker fills it, from sample `start` on."""
        heard = np.zeros(count, dtype=np.float32)
        for piece in reversed(self.pieces):
            if piece.end <= start:
                break
            add(heard, start, piece.samples, piece.at)
        return heard

    def received(self, item_id: str) -> Samples:
        """All samples of an item, in order, gaps left out."""
        parts = [piece.samples for piece in self.arrived if piece.item_id == item_id]
        return np.concatenate(parts) if parts else EMPTY


def _before(piece: Piece, edge: int) -> Piece:
    if piece.end <= edge:
        return piece
    kept = piece.samples[: edge - piece.at]
    return Piece(piece.response_id, piece.item_id, piece.at, piece.offset, kept, piece.arrived)


def audible_span(pieces: list[Piece]) -> tuple[float, float] | None:
    """First and last audible moment of these pieces as played, in seconds."""
    edges = [
        (piece.at + inner[0], piece.at + inner[1])
        for piece in pieces
        if (inner := audible_bounds(piece.samples)) is not None
    ]
    if not edges:
        return None
    return min(first for first, _ in edges) / RATE, max(last for _, last in edges) / RATE
