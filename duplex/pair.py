"""Which instance plays which role for which session: pairs, leases, rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.base import Instance, is_up


class NoCapacity(Exception):
    """Every pair has as many sessions as it may have."""


@dataclass(slots=True, eq=False)
class Pair:
    """Two resident instances. Which of them generates is each session's own affair."""

    first: Instance
    second: Instance
    num_sessions: int = 0
    stuck: set[str] = field(default_factory=set)  # names of instances that did not stop in time
    ill: set[str] = field(default_factory=set)  # of those that are out of rotation for it

    @property
    def instances(self) -> tuple[Instance, Instance]:
        return (self.first, self.second)

    @property
    def is_healthy(self) -> bool:
        return not self.ill and all(is_up(instance) for instance in self.instances)

    def others(self, instance: Instance) -> list[Instance]:
        """Instances of this pair other than this one that stop when they are told."""
        return [one for one in self.instances if one is not instance and one.name not in self.stuck]


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
        """Where a fresh monitor stream may be opened when an instance left this lease: another
        healthy instance of the house, else the generator's own."""
        candidates = [one for one in self.pair.others(lost) if one is not generator]
        candidates += [
            one
            for pair in self._pool.pairs
            if pair is not self.pair
            for one in pair.instances
            if one.name not in pair.stuck
        ]
        return candidates[0] if candidates else generator

    def mark_stuck(self, instance: Instance) -> None:
        """No running session moves there until `mark_well`."""
        self.pair.stuck.add(instance.name)

    def mark_ill(self, instance: Instance) -> None:
        """Its pair takes no new sessions either until `mark_well`."""
        self.pair.ill.add(instance.name)

    def mark_well(self, instance: Instance) -> None:
        self.pair.stuck.discard(instance.name)
        self.pair.ill.discard(instance.name)

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
