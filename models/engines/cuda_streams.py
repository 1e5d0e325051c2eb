"""Where torch work of an instance runs: two CUDA streams, or simply here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.engines.cuda_graphs import device_lock
from models.engines.jobs import Priority

_URGENT, _PATIENT = -1, 0  # CUDA's own numbers: lower goes first


class CudaStreams:
    """Hearing, verdicts and first tokens on a stream of higher priority than running answers.

    A stream is empty when its block ends, so the next block may use what this one wrote, on
    whichever stream it runs. Priority does not reach graphs: each step in one keeps that of the
    stream on which it was captured, the lower one.
    """

    def __init__(self, device: torch.device) -> None:
        self._streams: dict[bool, torch.cuda.Stream] = {}
        if device.type == "cuda":
            with device_lock:  # these streams do not wait for the one that loaded
                torch.cuda.synchronize(device)
            self._streams = {
                True: torch.cuda.Stream(device, priority=_URGENT),  # type: ignore[no-untyped-call]
                False: torch.cuda.Stream(device, priority=_PATIENT),  # type: ignore[no-untyped-call]
            }

    @contextmanager
    def device_stream(self, priority: Priority) -> Iterator[None]:
        with torch.inference_mode():
            stream = self._streams.get(priority is not Priority.RUNNING)
            if stream is None:
                yield
                return
            try:
                with torch.cuda.stream(stream):
                    yield
            finally:
                stream.synchronize()
