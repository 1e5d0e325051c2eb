"""A fleet of servers in steps of time: who is refused, who waits, what stands idle.

A call is refused where no server that takes calls has a place; the balancer finds the last place
there is (least connections, and a refusal tried on the next server). The fleet follows the rule of
the chart: ceil((calls + buffer) / places) servers, up at once, down by one at a time. A server that
leaves takes no more calls and goes when its last one has ended.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Times: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Times in seconds. `places`: calls that one server takes; `start`: from the wish for a server
    until it takes calls; `look`: between two looks at the number of calls; `down`: between two
    servers that leave, `settle`: for how long less must have been enough; `drain`: after which a
    leaving server sends its calls elsewhere; `retry`: after which a refused caller tries again, so
    many `tries` in all."""

    places: int
    start: float = 90.0
    buffer: int = 4
    least: int = 2
    most: int = 100_000
    look: float = 10.0
    down: float = 60.0
    settle: float = 300.0
    drain: float = 1800.0
    retry: float = 5.0
    tries: int = 4
    step: float = 1.0


@dataclass(slots=True)
class FleetOutcome:
    """What came of it. `waits`: seconds that those who had to try again waited until they were let
    in. `calls`, `taking` and `running` are a sample each minute: calls, places, servers."""

    offered: int = 0
    refused: int = 0  # tries that were turned away
    given_up: int = 0
    handed_over: int = 0  # calls that were sent elsewhere at the end of a drain
    waits: list[float] = field(default_factory=list)
    call_seconds: float = 0.0
    place_seconds: float = 0.0
    calls: list[int] = field(default_factory=list)
    taking: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)

    @property
    def refusal_share(self) -> float:
        """Of all tries."""
        tries = self.offered + self.refused
        return self.refused / tries if tries else 0.0

    @property
    def given_up_share(self) -> float:
        return self.given_up / self.offered if self.offered else 0.0

    @property
    def mean_wait(self) -> float:
        """Seconds, over all who were let in."""
        let_in = self.offered - self.given_up
        return sum(self.waits) / let_in if let_in else 0.0

    @property
    def idle_share(self) -> float:
        """Of all places that were paid for."""
        return 1 - self.call_seconds / self.place_seconds if self.place_seconds else 0.0


class FleetModel:
    """`calls`: pairs of arrival times (sorted) and lengths, in pieces that follow each other."""

    def __init__(self, plan: FleetPlan, seed: int = 0) -> None:
        self.plan = plan
        self.outcome = FleetOutcome()
        self._random = np.random.default_rng(seed)
        self._now = 0  # steps
        self._calls = 0  # on servers that take calls
        self._servers = plan.least
        self._starting: deque[int] = deque()  # the steps at which they are ready
        self._leaving: list[int] = []  # the steps at which they are gone
        self._ends = np.zeros(4096, np.int64)  # calls that end, by step from now on (a ring)
        self._retries: deque[tuple[int, float, float, int]] = deque()
        self._wanted: deque[tuple[int, int]] = deque()
        self._left_at = -(10**9)

    def run(self, calls: Iterable[tuple[Times, Times]]) -> FleetOutcome:
        """Until the last arrival."""
        for arrivals, lengths in calls:
            at = 0
            while at < len(arrivals):
                until = (self._now + 1) * self.plan.step
                upto = int(np.searchsorted(arrivals, until, side="left"))
                self._step(arrivals[at:upto], lengths[at:upto])
                at = upto
        return self.outcome

    # ---------------------------------------------------------------------------- one step

    def _step(self, arrivals: Times, lengths: Times) -> None:
        self._end_calls()
        self._change_fleet()
        self._admit(arrivals, lengths)
        self._account()
        self._now += 1

    def _end_calls(self) -> None:
        place = self._now % len(self._ends)
        self._calls -= int(self._ends[place])
        self._ends[place] = 0

    def _change_fleet(self) -> None:
        plan, now = self.plan, self._now
        while self._starting and self._starting[0] <= now:
            self._starting.popleft()
            self._servers += 1
        self._leaving = [gone for gone in self._leaving if gone > now]
        if now % max(1, round(plan.look / plan.step)):
            return
        wanted = math.ceil((self._calls + plan.buffer) / plan.places)
        wanted = min(plan.most, max(plan.least, wanted))
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - plan.settle / plan.step:
            self._wanted.popleft()
        for _ in range(wanted - self._servers - len(self._starting)):
            self._starting.append(now + round(plan.start / plan.step))
        enough = max(each for _, each in self._wanted)
        may_leave = now - self._left_at >= plan.down / plan.step
        if enough < self._servers and may_leave and not self._starting:
            self._let_go()

    def _let_go(self) -> None:
        """One server leaves with its share of the calls."""
        self._left_at = self._now
        ahead = np.roll(self._ends, -(self._now % len(self._ends)))
        moved = self._random.binomial(ahead, 1 / self._servers)
        self._servers -= 1
        self._calls -= int(moved.sum())
        self._ends -= np.roll(moved, self._now % len(self._ends))
        last = int(np.flatnonzero(moved)[-1]) if moved.any() else 0
        limit = round(self.plan.drain / self.plan.step)
        self.outcome.handed_over += int(moved[limit + 1 :].sum())
        self.outcome.call_seconds += float((moved * np.arange(len(moved))).sum()) * self.plan.step
        self._leaving.append(self._now + min(last, limit))

    def _admit(self, arrivals: Times, lengths: Times) -> None:
        free = self._servers * self.plan.places - self._calls
        self.outcome.offered += len(arrivals)
        while self._retries and self._retries[0][0] <= self._now:
            _, arrived, length, tries = self._retries.popleft()
            free -= self._try(free, arrived, length, tries)
        let_in = max(0, min(free, len(arrivals)))
        self._take(lengths[:let_in])
        for arrived, length in zip(arrivals[let_in:], lengths[let_in:], strict=True):
            self._try(0, float(arrived), float(length), 1)

    def _try(self, free: int, arrived: float, length: float, tries: int) -> int:
        """1 if there was a place."""
        if free > 0:
            self._take(np.array([length]))
            self.outcome.waits.append(self._now * self.plan.step - arrived)
            return 1
        self.outcome.refused += 1
        if tries >= self.plan.tries:
            self.outcome.given_up += 1
        else:
            again = self._now + max(1, round(self.plan.retry / self.plan.step))
            self._retries.append((again, arrived, length, tries + 1))
        return 0

    def _take(self, lengths: Times) -> None:
        if not len(lengths):
            return
        steps = np.maximum(1, np.rint(lengths / self.plan.step).astype(np.int64))
        self._make_room(int(steps.max()) + 1)
        np.add.at(self._ends, (self._now + steps) % len(self._ends), 1)
        self._calls += len(lengths)

    def _make_room(self, ahead: int) -> None:
        if ahead < len(self._ends):
            return
        before = np.roll(self._ends, -(self._now % len(self._ends)))
        self._ends = np.zeros(2 * ahead, np.int64)
        self._ends[: len(before)] = before
        self._ends = np.roll(self._ends, self._now % len(self._ends))

    def _account(self) -> None:
        outcome, step = self.outcome, self.plan.step
        servers = self._servers + len(self._starting) + len(self._leaving)
        outcome.call_seconds += self._calls * step
        outcome.place_seconds += servers * self.plan.places * step
        if self._now % max(1, round(60 / step)) == 0:
            outcome.calls.append(self._calls)
            outcome.taking.append(self._servers * self.plan.places)
            outcome.running.append(servers)
