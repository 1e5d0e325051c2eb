"""Which instances a session uses: pairs, leases, and instances that are out of rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.base import Instance, is_up


class NoCapacity(Exception):
    """Every pair has as many sessions as it may have."""


@dataclass(slots=True, eq=False)
class Outage:
    """One piece of work that its instance does not stop. It lasts until that very work has ended.

    While it lasts no running session moves to the instance; once it is `is_unhealthy`, the
    instance's pair takes no new sessions either.
    """

    instance: Instance
    is_unhealthy: bool = False


@dataclass(slots=True, eq=False)
class Pair:
    """Two resident instances. Which of them generates is each session's own affair."""

    first: Instance
    second: Instance
    num_sessions: int = 0
    outages: list[Outage] = field(default_factory=list)

    @property
    def instances(self) -> tuple[Instance, Instance]:
        return (self.first, self.second)

    @property
    def is_healthy(self) -> bool:
        is_broken = any(outage.is_unhealthy for outage in self.outages)
        return not is_broken and all(is_up(instance) for instance in self.instances)

    def is_responsive(self, instance: Instance) -> bool:
        """True if the instance stops when it is told to, as far as is known."""
        return all(outage.instance is not instance for outage in self.outages)

    def others(self, instance: Instance) -> list[Instance]:
        """The responsive instances of this pair other than this one."""
        return [one for one in self.instances if one is not instance and self.is_responsive(one)]


class Lease:
    """A session's claim on a pair, given back once."""

    def __init__(self, pool: PairPool, pair: Pair) -> None:
        self._pool = pool
        self._is_held = True
        self.pair = pair
        # Sessions alternate who begins, so that both instances work under load.
        first, second = pair.instances
        self.roles = (first, second) if pair.num_sessions % 2 else (second, first)

    def replacement(self, lost: Instance, generator: Instance) -> Instance:
        """Where a fresh monitor stream may be opened when an instance left this lease: on another
        responsive instance of this process, else on the generator's own."""
        candidates = [one for one in self.pair.others(lost) if one is not generator]
        candidates += [
            one
            for pair in self._pool.pairs
            if pair is not self.pair
            for one in pair.instances
            if pair.is_responsive(one)
        ]
        return candidates[0] if candidates else generator

    def mark_unresponsive(self, instance: Instance) -> Outage:
        """Work on this instance did not stop in time; whoever waits for it ends the outage."""
        outage = Outage(instance)
        self._pool.pair_of(instance, self.pair).outages.append(outage)
        return outage

    def mark_recovered(self, outage: Outage) -> None:
        """The work has stopped at last. Other work on the instance may still go on."""
        outages = self._pool.pair_of(outage.instance, self.pair).outages
        if outage in outages:
            outages.remove(outage)

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self.pair.num_sessions -= 1


class PairPool:
    """All pairs of this process."""

    def __init__(self, pairs: Sequence[Pair], sessions_per_pair: int) -> None:
        self.pairs = list(pairs)
        self.sessions_per_pair = sessions_per_pair

    @property
    def capacity(self) -> int:
        return self.sessions_per_pair * sum(pair.is_healthy for pair in self.pairs)

    @property
    def num_sessions(self) -> int:
        return sum(pair.num_sessions for pair in self.pairs)

    @property
    def room(self) -> int:
        """Sessions that could still be leased now."""
        return sum(
            max(0, self.sessions_per_pair - pair.num_sessions)
            for pair in self.pairs
            if pair.is_healthy
        )

    def pair_of(self, instance: Instance, default: Pair) -> Pair:
        """The pair that this instance belongs to: a session may have moved beyond its own."""
        return next((pair for pair in self.pairs if instance in pair.instances), default)

    def lease(self) -> Lease:
        """The least busy healthy pair. Raises NoCapacity."""
        free = [
            pair
            for pair in self.pairs
            if pair.is_healthy and pair.num_sessions < self.sessions_per_pair
        ]
        if not free:
            raise NoCapacity("every pair is taken")
        pair = min(free, key=lambda pair: pair.num_sessions)
        pair.num_sessions += 1
        return Lease(self, pair)
