"""How long cancelled work may take to stop, and who is told when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# An instance that does not stop for so long is left behind (DESIGN, Swap).
STOP_PATIENCE = 0.2
# One that was left behind and goes on for so long takes no new sessions until it stops. A busy
# machine is late by less, and a new call is not to be refused for that.
ILL_PATIENCE = 1.0
TICK = 0.05


def expect_end(job: asyncio.Task[None], patience: float, then: Callable[[], None]) -> None:
    """Call `then` unless `job` ends within `patience` seconds. They are counted in ticks: a tick of
    a loop that is itself late counts as one, so work is not blamed for what it could not do."""
    loop = asyncio.get_running_loop()

    def look(ticks: int) -> None:
        if job.done():
            return
        if ticks:
            loop.call_later(TICK, look, ticks - 1)
        else:
            then()

    look(round(patience / TICK))
