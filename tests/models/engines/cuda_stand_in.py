"""What torch.cuda is asked for, without a device: graphs that replay, streams that are logged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from models.engines import cuda_graphs, kv_cache, speech_batcher, vita_model
from models.engines.cuda_graphs import GraphedStep

INVITATION = 0.05  # seconds that a capture leaves to another thread to begin one too


class Device:
    """Logs in the order of asking. A replay runs the captured work again on the same buffers and
    overwrites what it gave, as a graph does. `overlaps` counts captures, and waits for the whole
    device, that began while another thread captured: each would be an error on a GPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_inviting: bool = False) -> None:
        self.log: list[str] = []
        self.graphs: list[Any] = []
        self.overlaps = 0
        self.pools: list[object] = []
        self._is_inviting = is_inviting
        self._capturing: int | None = None  # the thread that captures
        self._clash = threading.Event()
        for name in ("CUDAGraph", "graph", "stream", "Stream", "current_stream", "synchronize",
                     "graph_pool_handle"):  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        for module in (cuda_graphs, kv_cache, speech_batcher, vita_model):
            monkeypatch.setattr(module, "uses_graphs", lambda _: True)
        monkeypatch.setattr(cuda_graphs, "_of_thread", threading.local())
        run, captured = GraphedStep._run, GraphedStep._captured

        def noted(step: GraphedStep) -> tuple[Tensor, ...]:
            if self._capturing == threading.get_ident():
                self.graphs[-1].work = lambda: run(step)
            self.log.append("run")
            return run(step)

        def kept(step: GraphedStep) -> tuple[Any, tuple[Tensor, ...]]:
            graph: Any
            graph, made = captured(step)
            graph.kept = made
            return graph, made

        monkeypatch.setattr(GraphedStep, "_run", noted)
        monkeypatch.setattr(GraphedStep, "_captured", kept)

    def CUDAGraph(self) -> Any:
        return Graph(self)

    def graph_pool_handle(self) -> object:
        self.pools.append(object())
        return self.pools[-1]

    @contextmanager
    def graph(
        self, graph: Any, pool: object, stream: Any, capture_error_mode: str
    ) -> Iterator[None]:
        assert capture_error_mode == "thread_local"  # the other instance's thread is at work
        assert pool in self.pools
        self._begin_alone()
        self.graphs.append(graph)
        graph.pool = pool
        self._capturing = threading.get_ident()
        if self._is_inviting:
            self._clash.wait(INVITATION)
        yield
        self._capturing = None

    def _begin_alone(self) -> None:
        if self._capturing not in (None, threading.get_ident()):
            self.overlaps += 1
            self._clash.set()

    def Stream(self, device: torch.device, priority: int) -> Any:
        return Stream(self, str(priority))

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.log.append(f"into {stream.name}")
        yield

    def current_stream(self) -> Any:
        return Stream(self, "here")

    def synchronize(self, device: torch.device) -> None:
        self._begin_alone()
        self.log.append("device waits")


class Stream:
    def __init__(self, device: Device, name: str) -> None:
        self.device, self.name = device, name

    def synchronize(self) -> None:
        self.device.log.append(f"wait {self.name}")


class Graph:
    def __init__(self, device: Device) -> None:
        self.device = device
        self.pool: object = None
        self.work: Callable[[], tuple[Tensor, ...]] = tuple
        self.kept: tuple[Tensor, ...] = ()

    def replay(self) -> None:
        self.device.log.append("replay")
        for kept, made in zip(self.kept, self.work(), strict=True):
            kept.copy_(made)
