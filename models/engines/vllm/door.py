"""models.engines.vllm: what would kill an engine never reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakSet

import numpy as np

from models.base import OutOfRoom
from models.engines.vllm.folder import FEATURE_TOKENS
from models.engines.vllm.line import Feature, Line


class Refused(ValueError):
    """An input that no engine may see; the stream that brought it is as well as before."""


@dataclass(frozen=True, slots=True)
class Door:
    """The measures of one model: `capacity` tokens of a stream, `vocabulary` ids, vectors `width`
    wide."""

    capacity: int
    vocabulary: int
    width: int
    _seen: WeakSet[Feature] = field(default_factory=WeakSet)  # that were found good

    def check(self, line: Line, tokens: int = 0) -> None:
        """May `line` and `tokens` more go in? Raises OutOfRoom, Refused."""
        if line.length + tokens > self.capacity:
            raise OutOfRoom(f"{line.length + tokens} tokens of {self.capacity}")
        if not line.length:
            raise Refused("nothing to read")
        for piece in line.pieces:
            if isinstance(piece, Feature):
                if piece not in self._seen:
                    self.check_feature(piece)
                    self._seen.add(piece)
            elif min(piece) < 0 or max(piece) >= self.vocabulary:
                raise Refused(f"token ids from 0 to {self.vocabulary - 1} are known")

    def check_feature(self, feature: Feature) -> None:
        """Raises Refused."""
        vectors = feature.vectors
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise Refused(f"vectors of shape {vectors.shape}, not [n, {self.width}]")
        if not 0 < len(vectors) <= FEATURE_TOKENS:
            raise Refused(f"a feature of {len(vectors)} vectors, not 1 to {FEATURE_TOKENS}")
        if vectors.dtype != np.float32:
            raise Refused(f"vectors are {vectors.dtype}, not float32")
        if not np.isfinite(vectors).all():
            raise Refused("vectors that are no numbers")
