"""Tokens that a torch decoder has read, in memory that never moves.

Buffers are made once and written in place; rewinding is setting a number back. On CUDA the step of
one token (of each row, where several streams step together) is a graph, captured when a stream
opens, so that the CPU launches it in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.base import OutOfRoom
from models.vita.blocks import additive
from models.vita.cache import LayerCache, StaticLayer
from models.vita.language_model import LanguageModel, causal_mask

_WARM_UPS = 2  # runs before a capture, so that libraries have their workspaces


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
"""(input [b, 1, ...], positions [b, 1] or [1], cache, mask [b, 1, 1, capacity] or None) -> logits
[b, vocabulary], and whatever else the step gives"""


def static_step(step: Step, buffers: Buffers, inputs: Tensor, past: Tensor) -> tuple[Tensor, ...]:
    """One token of each row, [b, 1, ...], behind the first `past` [b] of that row."""
    places = torch.arange(buffers.capacity, device=past.device)
    mask = additive(places <= past[:, None], buffers.layers[0][0].dtype)[:, None, None]
    return step(inputs, past[:, None], buffers.static(past), mask)


class GraphedStep:
    """One token of each row through a decoder, as a CUDA graph over one set of buffers."""

    def __init__(self, step: Step, buffers: Buffers, example: Tensor) -> None:
        self._step, self._buffers = step, buffers
        self._input = torch.zeros_like(example)
        self._past = torch.zeros(len(example), dtype=torch.long, device=example.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._made: tuple[Tensor, ...] = ()

    def prepare(self) -> None:
        """Capture now, not in the first answer. What stands in the first slots is lost."""
        if self._graph is None:
            self._capture()

    def __call__(self, inputs: Tensor, *past: int) -> tuple[Tensor, ...]:
        """What the step gives, with so much past in each row; valid until the next call."""
        self._input.copy_(inputs)
        self._past.copy_(torch.tensor(past))
        if self._graph is None:
            self._capture()
        assert self._graph is not None
        self._graph.replay()
        return self._made

    def _run(self) -> tuple[Tensor, ...]:
        return static_step(self._step, self._buffers, self._input, self._past)

    def _capture(self) -> None:
        """Every run writes the same slot with the same numbers, so warming up does no harm. Other
        threads may allocate meanwhile: the other instance is at work."""
        for _ in range(_WARM_UPS):
            self._run()
        torch.cuda.current_stream().synchronize()
        graph = torch.cuda.CUDAGraph()
        on_cpu = torch.cuda.current_stream()
        with torch.cuda.graph(graph, stream=on_cpu, capture_error_mode="thread_local"):
            self._made = self._run()
        self._graph = graph


def language_step(model: LanguageModel) -> Step:
    """Of the model alone, not of a line: a line that is dropped is gone at once."""

    def step(
        vectors: Tensor, positions: Tensor, cache: Sequence[LayerCache], mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        hidden = model(vectors, positions, cache, mask)[:, -1]
        return hidden, model.logits(hidden)

    return step


class KvCache:
    """What one stream's language model has read: `length` tokens of `capacity`."""

    def __init__(self, model: LanguageModel, capacity: int) -> None:
        config, like = model.config, model.model.norm.weight
        self._model = model
        self.buffers = Buffers.empty(
            config.layers, capacity, config.key_value_heads, model.head_width, like
        )
        self.capacity, self.length = capacity, 0
        self._hidden = like.new_zeros(1, config.width)  # behind what was read last
        self._logits: Tensor | None = None
        example = like.new_zeros(1, 1, config.width)
        self._graphed = (
            GraphedStep(language_step(model), self.buffers, example) if like.is_cuda else None
        )
        if self._graphed is not None:
            self._graphed.prepare()

    def read(self, vectors: Tensor) -> None:
        """Read [n, width]; `logits` and `scores` then tell of what comes after the last. Raises
        OutOfRoom and leaves all as it was."""
        count = vectors.shape[0]
        self.require(count)
        if count == 1 and self._graphed is not None:
            self._hidden, self._logits = self._graphed(vectors[None], self.length)
        else:
            self._hidden, self._logits = self._read(vectors[None], count), None
        self.length += count

    def logits(self) -> Tensor:
        """[vocabulary], of the next token; valid until the next `read`."""
        if self._logits is None:
            self._logits = self._model.logits(self._hidden)
        return self._logits[0]

    def scores(self, ids: Sequence[int]) -> Tensor:
        """Logits of some tokens, in float32 whatever the model computes in: near 20 those of
        bfloat16 have steps of 0.125."""
        rows = self._model.lm_head.weight[list(ids)].float()
        return rows @ self._hidden[0].float()

    def require(self, count: int) -> None:
        """Raises OutOfRoom if `count` tokens more do not fit."""
        if self.length + count > self.capacity:
            raise OutOfRoom(f"{self.length + count} tokens of {self.capacity}")

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self.length = length

    def _read(self, vectors: Tensor, count: int) -> Tensor:
        start = self.length
        positions = torch.arange(start, start + count, device=vectors.device)
        mask = None
        if count > 1:
            mask = causal_mask(count, start, vectors.device, vectors.dtype)
        hidden = self._model(vectors, positions, self.buffers.window(start), mask)
        last: Tensor = hidden[:, -1]
        return last
