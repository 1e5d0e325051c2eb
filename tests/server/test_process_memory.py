"""What ended sessions have held goes back to the system."""

from __future__ import annotations

import asyncio

import pytest

from server import process_memory
from server.process_memory import FreedMemory
from tests.duplex.virtual import run_virtual


def test_memory_is_given_back_once_for_sessions_that_end_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "run_in_executor", lambda _, work: work())
        monkeypatch.setattr(
            process_memory, "give_back_freed_blocks", lambda: times.append(loop.time())
        )
        freed, began = FreedMemory(), loop.time()
        for _ in range(3):
            freed.session_ended()
            await asyncio.sleep(1.0)
        await asyncio.sleep(10.0)
        freed.session_ended()
        await asyncio.sleep(10.0)
        freed.session_ended()
        freed.close()
        await asyncio.sleep(10.0)
        assert [round(time - began, 3) for time in times] == [5.0, 18.0]

    run_virtual(main())
