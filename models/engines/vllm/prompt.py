"""What a stream's language model has read, as a value: token ids, and features
(vectors that stand for sound or for an image).

An engine's prefix cache remembers what was computed, so a place to go back to is an older line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
Modality: TypeAlias = Literal["audio", "image"]
PLACEHOLDER = 0  # the id that stands in the prompt where vectors go


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Feature:
    """Vectors [n, width] that take n places. `key` is what they are to the prefix cache."""

    modality: Modality
    vectors: Array
    key: str

    @staticmethod
    def of(modality: Modality, vectors: Array) -> Feature:
        held = np.ascontiguousarray(vectors)
        held.flags.writeable = False
        digest = hashlib.sha256(held.tobytes())
        digest.update(f"{modality}{held.dtype}{held.shape}".encode())
        return Feature(modality, held, digest.hexdigest())

    def __len__(self) -> int:
        return len(self.vectors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


Piece: TypeAlias = tuple[int, ...] | Feature


@dataclass(frozen=True, slots=True)
class Prompt:
    """Pieces in order, `length` places in all. Never an empty piece."""

    pieces: tuple[Piece, ...] = ()
    length: int = 0

    def plus(self, *pieces: Sequence[int] | Feature) -> Prompt:
        """With more behind it; empty pieces are left out."""
        more = tuple(p if isinstance(p, Feature) else tuple(p) for p in pieces if len(p))
        return Prompt(self.pieces + more, self.length + sum(map(len, more)))

    def after(self, other: Prompt) -> Prompt | None:
        """What follows `other`, with which this line begins; None where it does not."""
        count = len(other.pieces)
        if other.length > self.length or self.pieces[:count] != other.pieces:
            return None
        return Prompt(self.pieces[count:], self.length - other.length)

    def shared(self, other: Prompt) -> int:
        """Places at the beginning that both have."""
        count = 0
        for mine, theirs in zip(self.pieces, other.pieces, strict=False):
            if mine != theirs:
                break
            count += len(mine)
        return count

    @property
    def ids(self) -> list[int]:
        """[length] token ids, PLACEHOLDER where vectors go."""
        return list(chain.from_iterable(_ids(piece) for piece in self.pieces))

    @property
    def features(self) -> list[tuple[int, Feature]]:
        """Each feature with its place."""
        found, place = [], 0
        for piece in self.pieces:
            if isinstance(piece, Feature):
                found.append((place, piece))
            place += len(piece)
        return found


def _ids(piece: Piece) -> Sequence[int]:
    return [PLACEHOLDER] * len(piece) if isinstance(piece, Feature) else piece
