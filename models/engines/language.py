"""Decoders of embedded instances, with caches that are written in place.

The attention operator writes new keys and values straight into the stream's own buffers (past and
present are one tensor), so a step costs no copy and rewinding is setting a number back.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.base import OutOfRoom
from models.vita.config import LanguageModelConfig

Array = npt.NDArray[np.float32]
_ONES = 1  # tokens of the step whose binding is kept


class DecoderCache:
    """Keys and values of one sequence in one decoder session, and the bindings to run it.

    The graph: `first` input [1, n, ...], `last` [1] and `total` [1] (int32 lengths), `past.i` and
    `present.i` [1, heads, capacity, head]; other outputs as named, [1, ...] each.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        shape: tuple[int, int, int, int],
        tensors: int,
        outputs: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._session = session
        self.capacity = shape[2]
        self.buffers = [_untouched(shape) for _ in range(tensors)]
        self._values = [onnxruntime.OrtValue.ortvalue_from_numpy(b) for b in self.buffers]
        self._last, self._total = np.zeros(1, np.int32), np.zeros(1, np.int32)
        self.outputs = {name: np.zeros(size, np.float32) for name, size in outputs.items()}
        self._kept: dict[str, tuple[npt.NDArray[np.generic], onnxruntime.IOBinding]] = {}

    def run(self, name: str, vectors: npt.NDArray[np.generic], past: int) -> None:
        """Read `vectors` [1, n, ...] as input `name` after `past` tokens; fills `outputs`."""
        count = vectors.shape[1]
        if past + count > self.capacity:
            raise OutOfRoom(f"{past + count} tokens of {self.capacity}")
        self._last[0], self._total[0] = past + count - 1, past + count
        self._session.run_with_iobinding(self._bound(name, vectors))

    def _bound(self, name: str, vectors: npt.NDArray[np.generic]) -> onnxruntime.IOBinding:
        if vectors.shape[1] != _ONES:
            return self._bind(name, np.ascontiguousarray(vectors))
        if name not in self._kept:
            buffer = np.zeros_like(vectors, order="C")
            self._kept[name] = buffer, self._bind(name, buffer)
        buffer, binding = self._kept[name]
        buffer[...] = vectors
        return binding

    def _bind(self, name: str, vectors: npt.NDArray[np.generic]) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        for at, array in ((name, vectors), ("last", self._last), ("total", self._total)):
            binding.bind_ortvalue_input(at, value(array))
        for index, buffer in enumerate(self._values):
            binding.bind_ortvalue_input(f"past.{index}", buffer)
            binding.bind_ortvalue_output(f"present.{index}", buffer)
        for at, array in self.outputs.items():
            binding.bind_ortvalue_output(at, value(array))
        return binding


def _untouched(shape: tuple[int, ...]) -> Array:
    """Zeros that take memory only where they are written, and give it back when dropped: a stream
    seldom fills its cache."""
    size = math.prod(shape)
    return np.frombuffer(mmap.mmap(-1, 4 * size), np.float32, size).reshape(shape)


class LanguageCache:
    """What one stream's language model has read: `length` tokens of `capacity`."""

    def __init__(
        self, session: onnxruntime.InferenceSession, config: LanguageModelConfig, capacity: int
    ) -> None:
        heads, head = config.key_value_heads, config.width // config.heads
        shape = (1, heads, capacity, head)
        outputs = {"logits": (1, config.vocabulary)}
        self._cache = DecoderCache(session, shape, 2 * config.layers, outputs)
        self.capacity = capacity
        self.length = 0

    def read(self, vectors: Array) -> Array:
        """Read [n, width]; gives the logits [vocabulary] after the last (valid until the next
        call). Raises OutOfRoom and leaves the cache as it was."""
        self._cache.run("embeddings", vectors[None], self.length)
        self.length += len(vectors)
        logits: Array = self._cache.outputs["logits"][0]
        return logits

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self.length = length
