"""What a stream's language model has read, as a value: token ids, and features (vectors that stand
for sound or for a picture).

A cache remembers what was computed of a prompt, so a place to go back to is an older prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
Vectors: TypeAlias = Any  # [n, width]: numpy, or a torch tensor where the model runs here
Modality: TypeAlias = Literal["audio", "image"]
PLACEHOLDER: Final = 0  # the id that stands in the prompt where vectors go
FEATURE_TOKENS: Final = 512  # of one feature; longer sound enters as several


def digest(array: npt.NDArray[Any]) -> str:
    """A name for an array: equal numbers of equal type and shape have equal names."""
    held = np.ascontiguousarray(array)
    made = hashlib.blake2b(held.data, digest_size=32)
    made.update(f"{held.dtype}{held.shape}".encode())
    return made.hexdigest()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Feature:
    """Vectors [n, width] that take n places. Features with equal keys are equal: a key names what
    the vectors were made from, which is quicker to digest than the vectors are."""

    modality: Modality
    vectors: Vectors
    key: str

    @staticmethod
    def of(modality: Modality, vectors: Array) -> Feature:
        """A feature whose vectors are all that is known of it."""
        held = np.ascontiguousarray(vectors)
        held.flags.writeable = False
        return Feature(modality, held, f"{modality} {digest(held)}")

    def __len__(self) -> int:
        return len(self.vectors)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Feature) and self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def behind(self, count: int) -> Feature:
        """What follows the first `count` vectors."""
        return Feature(self.modality, self.vectors[count:], f"{self.key} from {count}")


def features_of(modality: Modality, vectors: Vectors, source: str = "") -> list[Feature]:
    """Vectors [n, width] as features of a length that an engine takes. `source` is the digest of
    what they were made from; without it they are digested themselves (numpy only)."""
    starts = range(0, len(vectors), FEATURE_TOKENS)
    if not source:
        return [Feature.of(modality, vectors[at : at + FEATURE_TOKENS]) for at in starts]
    return [
        Feature(modality, vectors[at : at + FEATURE_TOKENS], f"{modality} of {source} at {at}")
        for at in starts
    ]


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
        """What follows `other`, with which this prompt begins; None where it does not."""
        count = len(other.pieces)
        if other.length > self.length or self.pieces[:count] != other.pieces:
            return None
        return Prompt(self.pieces[count:], self.length - other.length)

    def shared(self, other: Prompt) -> int:
        """Places at the beginning that both have. A feature is shared as a whole or not at all."""
        count = 0
        for mine, theirs in zip(self.pieces, other.pieces, strict=False):
            if mine is theirs or mine == theirs:
                count += len(mine)
                continue
            return count + _alike(mine, theirs)
        return count

    def behind(self, count: int) -> list[Piece]:
        """What follows the first `count` places; the first piece may be a part of one."""
        place, found = 0, list[Piece]()
        for piece in self.pieces:
            skipped = min(len(piece), max(0, count - place))
            place += len(piece)
            if skipped == 0:
                found.append(piece)
            elif skipped < len(piece):
                found.append(_cut(piece, skipped))
        return found

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


EMPTY: Final = Prompt()


def _cut(piece: Piece, count: int) -> Piece:
    """What follows the first `count` places of a piece."""
    return piece.behind(count) if isinstance(piece, Feature) else piece[count:]


def _alike(mine: Piece, theirs: Piece) -> int:
    """Equal ids at the beginning of two pieces."""
    if isinstance(mine, Feature) or isinstance(theirs, Feature):
        return 0
    pairs = enumerate(zip(mine, theirs, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(mine), len(theirs)))


def _ids(piece: Piece) -> Sequence[int]:
    return [PLACEHOLDER] * len(piece) if isinstance(piece, Feature) else piece
