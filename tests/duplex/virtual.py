"""An event loop on which waiting costs no time: the clock moves instead."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Selector(selectors.DefaultSelector):
    """Never sleeps: a wait for the timeout moves the virtual clock instead."""

    offset = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.offset += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def stall(self, seconds: float) -> None:
        """Something holds the loop up for so long."""
        self._virtual.offset += seconds

    def time(self) -> float:
        return self._virtual.offset


def run_virtual(main: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on a virtual clock; only for code without threads."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
