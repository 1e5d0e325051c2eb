"""CUDA graphs of single steps: the CPU launches a whole step in one go.

Torch allows one capture in a process, and one that begins waits for the whole device, which is an
error while another thread captures. So captures take turns, and everything is captured when an
instance warms up: none begins while answers run.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Final

import torch
from torch import Tensor

from models.engines.kv_buffers import Buffers, Step, static_step

_WARM_UPS = 2  # runs before a capture, so that libraries have their workspaces
SWITCH_SECONDS: Final = 0.0005
device_lock = threading.Lock()  # held while a graph is captured, or while the device is waited for
_of_thread = threading.local()


def uses_graphs(tensor: Tensor) -> bool:
    """Is a model with this weight stepped by graphs?"""
    return tensor.is_cuda


def prepare_process() -> None:
    """Set what this process needs to serve models on CUDA; to be called before they are loaded.

    cuDNN's attention plans anew for every new length, and here every verdict has one. An instance's
    thread waits for Python up to one switch interval whenever it has waited for the device, so that
    is a tenth of the usual 5 ms.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))


def _pool() -> Any:
    """The memory pool for the graphs of this thread, which is that of one instance: they never run
    at the same time, and what one gives is read before the next runs."""
    if not hasattr(_of_thread, "pool"):
        _of_thread.pool = torch.cuda.graph_pool_handle()
    return _of_thread.pool


class GraphedStep:
    """One token of each row through a decoder, as a CUDA graph over one set of buffers."""

    def __init__(self, step: Step, buffers: Buffers, example: Tensor) -> None:
        """Capture it now. What stands in the first slots of the buffers is lost."""
        self._step, self._buffers = step, buffers
        self._input = torch.zeros_like(example)
        self._past = torch.zeros(len(example), dtype=torch.long, device=example.device)
        self._graph, self._made = self._captured()

    def __call__(self, inputs: Tensor, *past: int) -> tuple[Tensor, ...]:
        """What the step gives, with so much past in each row; valid until the next call."""
        self._input.copy_(inputs)
        self._past.copy_(torch.tensor(past))
        self._graph.replay()
        return self._made

    def _run(self) -> tuple[Tensor, ...]:
        return static_step(self._step, self._buffers, self._input, self._past)

    def _captured(self) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...]]:
        """Every run writes the same slot with the same numbers, so warming up does no harm. Other
        threads may allocate meanwhile: the other instance may be at work."""
        stream, pool = torch.cuda.current_stream(), _pool()
        with device_lock:
            for _ in range(_WARM_UPS):
                self._run()
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool, stream, capture_error_mode="thread_local"):
                made = self._run()
        return graph, made
