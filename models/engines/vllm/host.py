"""One engine process: started, watched, and started again when it dies."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from models.base import InstanceFailed
from models.engines.prompt import Prompt
from models.engines.vllm.requests import EngineInputs, Urgency, judging, was_lost

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before each new start of a process that died."""

    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0

    def delays(self) -> Iterator[float]:
        delay = self.first
        while True:
            yield delay
            delay = min(delay * self.factor, self.longest)


@dataclass(frozen=True, slots=True, eq=False)
class EngineProcess:
    """One engine from its start to its death; streams belong to a life."""

    engine: Any  # AsyncLLM
    number: int


class EngineHost:
    """`start` makes an engine (slow, blocking). From the first request on its process is watched;
    when it dies every request fails at once, and a new engine is made after a delay."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Any],
        backoff: Backoff | None = None,
        *,
        dtype: str = "float32",
        parked: int = 64,
        kept_bytes: int = 0,
    ) -> None:
        """`dtype`: what the engine computes in. `parked`: sessions that may wait for more sound,
        each of which takes one of its places for requests. `kept_bytes`: of features that it keeps
        from earlier requests."""
        self.name = name
        self.inputs = EngineInputs(dtype, kept_bytes)
        self._places = parked
        self._make, self._backoff = start, backoff or Backoff()
        self._lives = itertools.count(1)
        self._requests = itertools.count(1)
        self._life: EngineProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self._revival: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Blocks until the engine has loaded."""
        self.inputs.sent.clear()
        self._life = EngineProcess(self._make(), next(self._lives))

    def park(self) -> bool:
        """Take a place for a session that will wait for more sound; False where none is left."""
        if self._places <= 0:
            return False
        self._places -= 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self._places += 1

    @property
    def process(self) -> EngineProcess:
        """Raises InstanceFailed while there is none."""
        if self._life is None:
            raise InstanceFailed("the engine is closed" if self._closed else _DOWN)
        return self._life

    @property
    def is_up(self) -> bool:
        return self._life is not None

    async def request(
        self, process: EngineProcess, line: Prompt, params: Any, urgency: Urgency
    ) -> AsyncGenerator[Any, None]:
        """Outputs of one request over a prompt. Vectors that the process holds are not sent again;
        where it has lost one after all, everything is sent once more."""
        news = self.generate(process, self.inputs.news(line), params, urgency)
        async with aclosing(news) as outputs:
            async for output in outputs:
                if was_lost(output):
                    break
                yield output
            else:
                return
        self.inputs.sent.clear()
        async with aclosing(
            self.generate(process, self.inputs.of(line), params, urgency)
        ) as outputs:
            async for output in outputs:
                yield output

    async def generate(
        self, process: EngineProcess, prompt: Any, params: Any, urgency: Urgency
    ) -> AsyncGenerator[Any, None]:
        """Outputs of one request, which ends with the iterator. `prompt` is an engine input or an
        iterator of chunks. Raises InstanceFailed when the process dies, or has died since."""
        if process is not self._life:
            raise InstanceFailed(_DIED)
        number = f"{self.name}-{next(self._requests)}"
        try:
            outputs = process.engine.generate(prompt, params, number, priority=int(urgency))
            async with aclosing(outputs) as parts:
                async for part in parts:
                    self._begin_watch(process)
                    yield part
        except EngineDeadError:
            self._mark_dead(process)
            raise InstanceFailed(_DIED) from None
        except EngineGenerateError as error:
            logger.exception("%s: a request failed", self.name)
            raise InstanceFailed("the engine failed") from error

    async def close(self) -> None:
        self._closed = True
        process, self._life = self._life, None
        tasks = [task for task in (self._watch, self._revival) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if process is not None:
            await asyncio.to_thread(process.engine.shutdown)

    def _begin_watch(self, process: EngineProcess) -> None:
        if self._watch is None and process is self._life:
            self._watch = asyncio.create_task(self._await_death(process), name=f"{self.name}-watch")

    async def _await_death(self, process: EngineProcess) -> None:
        """The task that hands out an engine's outputs ends when the engine does."""
        await asyncio.wait({process.engine.output_handler})
        self._mark_dead(process)

    def _mark_dead(self, process: EngineProcess) -> None:
        """Whoever notices the death first."""
        if process is not self._life:
            return
        self._life = self._watch = None
        logger.error("%s: the engine process died", self.name)
        self._revival = asyncio.create_task(self._revive(), name=f"{self.name}-revival")

    async def _revive(self) -> None:
        for delay in self._backoff.delays():
            await asyncio.sleep(delay)
            try:
                await asyncio.to_thread(self.start)
                await self._try_out()
            except Exception:
                logger.exception("%s: the engine could not be started again", self.name)
                continue
            logger.warning("%s: the engine is up again", self.name)
            return

    async def _try_out(self) -> None:
        """One request, so that the new process is watched from the beginning."""
        outputs = self.generate(
            self.process, self.inputs.of(Prompt().plus([0])), judging([0]), Urgency.READING
        )
        async for _ in outputs:
            continue


_DIED = "the engine process died"
_DOWN = "the engine is being started again"
