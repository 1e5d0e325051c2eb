"""Keys and values of a torch decoder, in memory that never moves: written in place, and rewound by
setting a number back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.vita.blocks import additive
from models.vita.cache import LayerCache, StaticLayer


@dataclass(frozen=True, slots=True)
class Buffers:
    """Keys and values of each layer, [rows, capacity, heads, head]."""

    layers: tuple[tuple[Tensor, Tensor], ...]

    @staticmethod
    def empty(
        layers: int, capacity: int, heads: int, width: int, like: Tensor, rows: int = 1
    ) -> Buffers:
        shape = (rows, capacity, heads, width)
        return Buffers(tuple((like.new_zeros(shape), like.new_zeros(shape)) for _ in range(layers)))

    @property
    def capacity(self) -> int:
        return self.layers[0][0].shape[1]

    @property
    def bytes(self) -> int:
        return sum(keys.nbytes + values.nbytes for keys, values in self.layers)

    def part(self, first: int, stop: int, capacity: int | None = None) -> Buffers:
        """The rows [first, stop), the same memory."""
        return Buffers(
            tuple((k[first:stop, :capacity], v[first:stop, :capacity]) for k, v in self.layers)
        )

    def copy(self, other: Buffers) -> None:
        """Take what fewer rows hold."""
        for mine, theirs in zip(self._flat, other._flat, strict=True):
            mine[: len(theirs)] = theirs

    def exchange(self, first: int, second: int, length: int) -> None:
        """What stands in two rows, up to `length` tokens, changes places."""
        for tensor in self._flat:
            tensor[[first, second], :length] = tensor[[second, first], :length]

    @property
    def _flat(self) -> list[Tensor]:
        return [tensor for pair in self.layers for tensor in pair]

    def window(self, start: int) -> list[WindowLayer]:
        return [WindowLayer(keys, values, start) for keys, values in self.layers]

    def static(self, slots: Tensor) -> list[StaticLayer]:
        return [StaticLayer(keys, values, slots) for keys, values in self.layers]

    def put(self, rows: Sequence[Tensor], start: int) -> None:
        for buffer, kept in zip(self._flat, rows, strict=True):
            buffer[:, start : start + kept.shape[1]] = kept


class WindowLayer:
    """Writes behind the first `start` tokens; attention sees those and what was written."""

    def __init__(self, keys: Tensor, values: Tensor, start: int) -> None:
        self.keys, self.values, self.start = keys, values, start

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        stop = self.start + keys.shape[1]
        self.keys[:, self.start : stop] = keys
        self.values[:, self.start : stop] = values
        return self.keys[:, :stop], self.values[:, :stop]


Step = Callable[[Tensor, Tensor, Sequence[LayerCache], Tensor | None], tuple[Tensor, ...]]
"""(input [b, 1, ...], positions [b, 1] or [1], cache, mask [b, 1, 1, capacity] or None) -> whatever
the step gives, each [b, ...]"""


def static_step(step: Step, buffers: Buffers, inputs: Tensor, past: Tensor) -> tuple[Tensor, ...]:
    """One token of each row, [b, 1, ...], behind the first `past` [b] of that row."""
    places = torch.arange(buffers.capacity, device=past.device)
    mask = additive(places <= past[:, None], buffers.layers[0][0].dtype)[:, None, None]
    return step(inputs, past[:, None], buffers.static(past), mask)
