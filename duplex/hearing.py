"""The segment that a partner's stream is hearing, and how much of it has been fed."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.base import HEAR_AHEAD, HEAR_CHUNK, Mark


@dataclass(slots=True)
class Hearing:
    """The segment that the stream is hearing; positions are samples of user audio at 16 kHz."""

    segment: int
    start: int
    fed: int
    before: Mark = field(default_factory=lambda: Mark(0))
    tokens_before: int = 0  # of the same turn, from segments before this one
    is_ended: bool = False
    item_id: str | None = None  # what it has become, once that is known

    def ready(self, recorded: int) -> int:
        """As far as the stream can encode whole chunks: a piece that ends with a chunk would have
        to wait for the next one before the encoder sees beyond it."""
        whole = max(0, recorded - self.start - HEAR_AHEAD) // HEAR_CHUNK
        return self.start + whole * HEAR_CHUNK + HEAR_AHEAD if whole else self.start
