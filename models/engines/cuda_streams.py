"""Where torch work of an instance runs: two CUDA streams, or simply here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.engines.jobs import Priority

_URGENT, _PATIENT = -1, 0  # CUDA's own numbers: lower goes first


class CudaStreams:
    """Hearing, verdicts and first tokens on a stream of higher priority than running answers.

    A lane is empty when its block ends, so the next block may use what this one wrote, in
    whichever lane it runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._streams: dict[bool, torch.cuda.Stream] = {}
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # these streams do not wait for the one that loaded
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
