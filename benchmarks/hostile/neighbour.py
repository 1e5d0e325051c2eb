"""A well-behaved conversation beside the others: it asks, and is answered."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.driver import CallerLine
from benchmarks.hostile.raw import RawClient

QUESTION = "What is the capital of France?"
_PATIENCE = 60.0
_ITEMS = 200  # questions until it begins a new conversation
_TEXT = {
    "type": "realtime",
    "output_modalities": ["text"],
    "audio": {"input": {"turn_detection": None}},
}


@dataclass(slots=True)
class Neighbour:
    """Asks one typed question every `period` seconds. `latencies` in seconds, each with when it
    was asked; `faults`: what went wrong."""

    line: CallerLine
    period: float = 1.0
    latencies: list[tuple[float, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            client = await self._connect()
            try:
                await client.send_event("session.update", session=_TEXT)
                for _ in range(_ITEMS):
                    if not await self._ask(client):
                        break
                    await asyncio.sleep(self.period)
            finally:
                await client.close()

    async def _connect(self) -> RawClient:
        """Where all places are taken it waits for one, as a caller of a full server does."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return await RawClient.connect(self.line)
            except ConnectionError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(1.0)

    async def _ask(self, client: RawClient) -> bool:
        began = time.monotonic()
        content = [{"type": "input_text", "text": QUESTION}]
        item = {"type": "message", "role": "user", "content": content}
        try:
            await client.send_event("conversation.item.create", item=item)
            await client.send_event("response.create")
            done = await client.next_done(_PATIENCE)
        except TimeoutError:
            self.faults.append(f"no answer within {_PATIENCE:.0f} s")
            return False
        except ConnectionError:
            self.faults.append(f"the connection was closed with {client.closed}")
            return False
        self.latencies.append((began, time.monotonic() - began))
        if done["status"] != "completed":
            self.faults.append(f"an answer was {done['status']}: {done['status_details']}")
        return True

    def longest(self) -> float:
        return max((latency for _, latency in self.latencies), default=0.0)


async def end(task: asyncio.Task[None]) -> None:
    """End a neighbour; what broke it comes up here."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
