"""Keys and values of what a decoder has already read: growing, or written in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class LayerCache(Protocol):
    """One layer's memory. Tensors are [b, tokens, heads, head]: a prefix of a sequence of batch
    one is then contiguous, so that an engine can hand out a view of one preallocated array."""

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take the new tokens' keys and values; give all that the new tokens may look at."""
        ...


class GrowingLayer:
    """Functional: the past goes in, `new` comes out, nothing is written."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.past = (keys, values)
        self.new = (keys, values)

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        self.new = (keys, values)
        return torch.cat((self.past[0], keys), 1), torch.cat((self.past[1], values), 1)

    @property
    def whole(self) -> tuple[Tensor, Tensor]:
        return torch.cat((self.past[0], self.new[0]), 1), torch.cat((self.past[1], self.new[1]), 1)


class StaticLayer:
    """One new token of each row, written in place at `slots` [b]; all of the memory is attended to,
    so a mask must hide what is not there. Shapes never change, as CUDA graphs demand."""

    def __init__(self, keys: Tensor, values: Tensor, slots: Tensor) -> None:
        self.keys, self.values = keys, values
        self._places = torch.arange(len(slots), device=slots.device), slots

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        self.keys[self._places] = keys[:, 0]
        self.values[self._places] = values[:, 0]
        return self.keys, self.values


def growing(flat: Sequence[Tensor]) -> list[GrowingLayer]:
    """Layers from [keys of layer 0, values of layer 0, keys of layer 1, ...]."""
    return [GrowingLayer(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]


def flatten_new(layers: Sequence[GrowingLayer]) -> tuple[Tensor, ...]:
    """What the last pass added, in the order that `growing` takes."""
    return tuple(tensor for layer in layers for tensor in layer.new)


def empty(
    layers: int, heads: int, width: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, ...]:
    """The flat cache of a decoder that has read nothing."""
    return tuple(torch.zeros(1, 0, heads, width, dtype=dtype) for _ in range(2 * layers))
