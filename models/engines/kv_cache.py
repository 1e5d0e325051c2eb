"""What a torch language model has read of a stream, and the caches that an instance lends to its
streams.

On CUDA the step of one token is a graph over a cache, for several lengths of it, so that a step
attends to little more than what is there. The graphs of all caches are captured when the instance
warms up. A stream that comes when all of these are lent has a cache without graphs: it is slower.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Final
from weakref import ReferenceType, ref

import torch
from torch import Tensor

from models.base import SPARE_STREAMS, OutOfRoom
from models.engines.cuda_graphs import GraphedStep, uses_graphs
from models.engines.kv_buffers import Buffers, Step
from models.vita.cache import LayerCache
from models.vita.language_model import LanguageModel, causal_mask

logger = logging.getLogger(__name__)
SHORTEST_WINDOW: Final = 512  # tokens that the shortest graph attends to; each next one twice that
DEFAULT_SLOTS: Final = 4 + SPARE_STREAMS


def windows(capacity: int) -> list[int]:
    """How many tokens each graph of a cache attends to."""
    found, window = list[int](), SHORTEST_WINDOW
    while window < capacity:
        found.append(window)
        window *= 2
    return [*found, capacity]


def language_step(model: LanguageModel) -> Step:
    """Hidden state and logits of the next token. Of the model alone, not of a cache: a cache that
    is dropped is gone at once."""

    def step(
        vectors: Tensor, positions: Tensor, cache: Sequence[LayerCache], mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        hidden = model(vectors, positions, cache, mask)[:, -1]
        return hidden, model.logits(hidden)

    return step


class KvSlot:
    """Memory for one stream, and the graphs over it, the shortest first."""

    def __init__(self, model: LanguageModel, capacity: int) -> None:
        config, like = model.config, model.model.norm.weight
        self.buffers = Buffers.empty(
            config.layers, capacity, config.key_value_heads, model.head_width, like
        )
        self.graphs: list[tuple[int, GraphedStep]] = []
        self._holder: ReferenceType[KvCache] | None = None

    @property
    def is_free(self) -> bool:
        """Has nobody borrowed it, or is the cache gone that had?"""
        return self._holder is None or self._holder() is None

    def lend(self, cache: KvCache) -> None:
        self._holder = ref(cache)

    def capture(self, model: LanguageModel) -> None:
        """Make the graphs."""
        like = model.model.norm.weight
        example = like.new_zeros(1, 1, model.config.width)
        self.graphs = [
            (window, GraphedStep(language_step(model), self.buffers.part(0, 1, window), example))
            for window in windows(self.buffers.capacity)
        ]

    def graph(self, length: int) -> GraphedStep | None:
        """The graph that attends to the fewest tokens and has room for `length` of them."""
        return next((graph for window, graph in self.graphs if window >= length), None)


class KvCache:
    """What one stream's language model has read: `length` tokens of `capacity`."""

    def __init__(self, model: LanguageModel, slot: KvSlot) -> None:
        self._model, self._slot = model, slot
        self.buffers = slot.buffers
        self.capacity, self.length = slot.buffers.capacity, 0
        # Behind what was read last:
        self._hidden = model.model.norm.weight.new_zeros(1, model.config.width)
        self._logits: Tensor | None = None

    def read(self, vectors: Tensor) -> None:
        """Read [n, width]; `logits` and `scores` then tell of what comes after the last. Raises
        OutOfRoom and leaves all as it was."""
        count = vectors.shape[0]
        self.require(count)
        graph = self._slot.graph(self.length + 1) if count == 1 else None
        if graph is not None:
            self._hidden, self._logits = graph(vectors[None], self.length)
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


class KvSlots:
    """The caches of one instance. One thread."""

    def __init__(self, model: LanguageModel, capacity: int, count: int) -> None:
        """Where graphs are used, `count` caches are made and their graphs captured now."""
        self._model, self._capacity = model, capacity
        self._slots = list[KvSlot]()
        if uses_graphs(model.model.norm.weight):
            self._slots = [KvSlot(model, capacity) for _ in range(count)]
        for slot in self._slots:
            slot.capture(model)

    def lend(self) -> KvCache:
        """An empty cache; it comes back when nobody holds it any more."""
        slot = next((slot for slot in self._slots if slot.is_free), None)
        if slot is None:
            if self._slots:
                logger.warning("all %d captured caches are lent: one without", len(self._slots))
            return KvCache(self._model, KvSlot(self._model, self._capacity))
        cache = KvCache(self._model, slot)
        slot.lend(cache)
        return cache


class ThreadSlots:
    """The caches of each thread that uses a model, which is an instance."""

    def __init__(self, count: int = DEFAULT_SLOTS) -> None:
        """`count`: streams of one instance whose steps are graphs."""
        self.count = count
        self._here = threading.local()

    @property
    def are_made(self) -> bool:
        """Has this thread its caches?"""
        return hasattr(self._here, "slots")

    def lend(self, model: LanguageModel, capacity: int) -> KvCache:
        """An empty cache of this thread's instance, whose caches are made at the first call."""
        slots: KvSlots | None = getattr(self._here, "slots", None)
        if slots is None:
            slots = self._here.slots = KvSlots(model, capacity, self.count)
        return slots.lend()
