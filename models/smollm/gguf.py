"""A reader of GGUF files: the metadata, and tensors as numpy arrays.

Source: the GGUF specification of ggml (version 3, little-endian). Only the storage types that the
file of SmolLM2-135M-Instruct has are known: 32-bit and 16-bit floats, Q4_1 and Q8_0.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]

MAGIC = b"GGUF"
VERSION = 3
BLOCK = 32  # weights that share one scale, in both quantised types
FLOAT32, FLOAT16, Q4_1, Q8_0 = 0, 1, 3, 8
_STRING, _LIST = 8, 9
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_MOST = 1 << 24  # entries of one list or bytes of one string: more is a damaged file

_Q4_1_BLOCK = np.dtype([("scale", "<f2"), ("least", "<f2"), ("packed", "u1", (BLOCK // 2,))])
_Q8_0_BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", (BLOCK,))])


class BadWeights(ValueError):
    """A weight file that cannot be read; says which and why."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies: its shape (outermost first), storage type, and byte offset."""

    shape: tuple[int, ...]
    kind: int
    offset: int


class GgufFile:
    """One file, mapped into memory; tensors are decoded when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raises BadWeights for a file that is not GGUF, or of a form that is not known."""
        self.path = path
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._at = 0
            self.metadata, self._places = self._header()
        except OSError as error:
            raise BadWeights(f"{path.name}: {error.strerror}") from error
        except (struct.error, ValueError, KeyError) as error:
            if isinstance(error, BadWeights):
                raise
            raise BadWeights(f"{path.name}: not a readable GGUF file ({error!r})") from error

    def __enter__(self) -> GgufFile:
        return self

    def __exit__(self, *_: object) -> None:
        """Unmaps the file, unless arrays still look into it."""
        with suppress(BufferError):
            self._bytes.close()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._places)

    def floats(self, name: str) -> Array:
        """A tensor in 32-bit floats. Raises BadWeights for a name or type that is not there."""
        place = self._place(name)
        if place.kind == Q4_1:
            blocks = self._raw(place, _Q4_1_BLOCK)
            packed = blocks["packed"]
            whole = np.concatenate((packed & 15, packed >> 4), axis=1).astype(np.float32)
            whole *= blocks["scale"].astype(np.float32)[:, None]
            whole += blocks["least"].astype(np.float32)[:, None]
            return whole.reshape(place.shape)
        if place.kind == Q8_0:
            blocks = self._raw(place, _Q8_0_BLOCK)
            scales = blocks["scale"].astype(np.float32)[:, None]
            scaled: Array = blocks["values"].astype(np.float32) * scales
            return scaled.reshape(place.shape)
        kind = np.dtype("<f2" if place.kind == FLOAT16 else "<f4")
        return self._raw(place, kind).astype(np.float32).reshape(place.shape)

    def eight_bit(self, name: str) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float16]]:
        """A Q8_0 tensor as it is stored: values [..., n] and scales [..., n / 32]."""
        place = self._place(name)
        if place.kind != Q8_0:
            raise BadWeights(f"{self.path.name}: {name} is not stored in 8 bits")
        blocks = self._raw(place, _Q8_0_BLOCK)
        *outer, inner = place.shape
        values = np.ascontiguousarray(blocks["values"]).reshape(place.shape)
        return values, np.ascontiguousarray(blocks["scale"]).reshape(*outer, inner // BLOCK)

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise BadWeights(f"{self.path.name}: no tensor {name}")
        return self._places[name]

    def _raw(self, place: _Place, kind: np.dtype[Any]) -> npt.NDArray[Any]:
        count = int(np.prod(place.shape))
        if kind.fields is not None:
            count //= BLOCK
        if place.offset + count * kind.itemsize > len(self._bytes):
            raise BadWeights(f"{self.path.name}: the file breaks off")
        return np.frombuffer(self._bytes, kind, count, place.offset)

    # ------------------------------------------------------------------------------ the header

    def _header(self) -> tuple[Mapping[str, Any], dict[str, _Place]]:
        magic, version = self._bytes[:4], struct.unpack_from("<I", self._bytes, 4)[0]
        if magic != MAGIC or version != VERSION:
            raise BadWeights(f"{self.path.name}: not a GGUF file of version {VERSION}")
        self._at = 8
        tensors, entries = self._number("<Q"), self._number("<Q")
        metadata = {}
        for _ in range(entries):
            name = self._string()
            metadata[name] = self._value(self._number("<I"))
        places = dict(self._tensor() for _ in range(tensors))
        step = int(metadata.get("general.alignment", 32))
        data = -(-self._at // step) * step
        return metadata, {
            name: _Place(place.shape, place.kind, data + place.offset)
            for name, place in places.items()
        }

    def _tensor(self) -> tuple[str, _Place]:
        name = self._string()
        sizes = [self._number("<Q") for _ in range(self._number("<I"))]
        kind, offset = self._number("<I"), self._number("<Q")
        if kind not in (FLOAT32, FLOAT16, Q4_1, Q8_0):
            raise BadWeights(f"{self.path.name}: {name} is stored as type {kind}, which is unknown")
        return name, _Place(tuple(reversed(sizes)), kind, offset)

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _LIST:
            inner, count = self._number("<I"), self._count()
            return [self._value(inner) for _ in range(count)]
        return self._number(_SCALARS[kind])

    def _string(self) -> str:
        count = self._count()
        start, self._at = self._at, self._at + count
        if self._at > len(self._bytes):
            raise BadWeights(f"{self.path.name}: the file breaks off")
        return self._bytes[start : self._at].decode("utf-8")

    def _count(self) -> int:
        count = int(self._number("<Q"))
        if count > _MOST:
            raise BadWeights(f"{self.path.name}: a list or text of {count} entries")
        return count

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._bytes, self._at)
        self._at += struct.calcsize(form)
        return value
