"""server.draining: a server that is about to end takes no more calls and lets the open ones finish.

The drain begins once. New calls are refused from then on; open calls go on until they end by
themselves or the time is over. Then each call that is left is asked to end at a quiet moment, one
after the other, so that the clients do not all come back in the same instant.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from duplex import actions
from duplex.orchestrator import Outgoing
from duplex.states import AssistantState, UserState
from server.admission import Admission
from server.config import DrainSettings

logger = logging.getLogger(__name__)

LARGEST_GAP = 0.2  # seconds between two calls that are asked to end
CLOSING = 2.0  # seconds in which the last closes may still be sent
_SILENCE = (UserState.SILENT.value, AssistantState.LISTENING.value)


class Leaving:
    """One call as the drain sees it: whether somebody speaks, and whether it has to end."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._until = 0.0  # on the loop's clock
        self._answers: set[int] = set()
        self._is_silent = True

    def follow(self, outgoing: Outgoing) -> None:
        """Take notice of what the conversation tells its client."""
        match outgoing:
            case actions.ShowState(user=user, assistant=assistant):
                self._is_silent = (user, assistant) == _SILENCE
            case actions.ResponseStarted(response_id=number):
                self._answers.add(number)
            case actions.ResponseEnded(response_id=number):
                self._answers.discard(number)
            case _:
                return
        if self._is_silent and not self._answers:
            self._quiet.set()
        else:
            self._quiet.clear()

    def ask(self, patience: float) -> None:
        """The call has to end: at its next quiet moment, or after `patience` seconds."""
        self._until = asyncio.get_running_loop().time() + patience
        self._asked.set()

    @property
    def may_end(self) -> bool:
        """Whether it would cut nobody short, or has been waited for long enough."""
        is_late = asyncio.get_running_loop().time() >= self._until
        return self._asked.is_set() and (self._quiet.is_set() or is_late)

    async def due(self) -> None:
        """Return when the call has to end now; without a drain this never happens."""
        await self._asked.wait()
        try:
            async with asyncio.timeout_at(self._until):
                await self._quiet.wait()
        except TimeoutError:
            logger.info("a call is ended while somebody speaks; the drain's time is over")


class Drain:
    """The drain of one server. `ended` is set when the process may end."""

    def __init__(self, settings: DrainSettings, admission: Admission) -> None:
        self.ended = asyncio.Event()
        self._settings = settings
        self._admission = admission
        self._calls: dict[Leaving, None] = {}  # in the order in which they came
        self._empty = asyncio.Event()
        self._empty.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_begun(self) -> bool:
        return self._task is not None

    @property
    def num_calls(self) -> int:
        """Calls that are open."""
        return len(self._calls)

    @contextmanager
    def watching(self) -> Iterator[Leaving]:
        """Count one call, from its admission to its end."""
        call = Leaving()
        self._calls[call] = None
        self._empty.clear()
        try:
            yield call
        finally:
            del self._calls[call]
            if not self._calls:
                self._empty.set()

    def begin(self) -> None:
        """Start to drain, on the event loop; a second time changes nothing."""
        if self._task is None:
            self._admission.is_draining = True
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Give the drain up, since the server ends without it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        settings = self._settings
        logger.info("draining: %d calls are open, for %g s", self.num_calls, settings.seconds)
        if not await self._is_empty_within(settings.seconds):
            logger.info("draining: %d calls are asked to end", self.num_calls)
            await self._ask_all()
            await self._is_empty_within(settings.answers + CLOSING)
        logger.info("drained: %d calls are left", self.num_calls)
        self.ended.set()

    async def _ask_all(self) -> None:
        calls = list(self._calls)
        gap = min(LARGEST_GAP, self._settings.stagger / max(1, len(calls)))
        for call in calls:
            call.ask(self._settings.answers)
            await asyncio.sleep(gap)

    async def _is_empty_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
