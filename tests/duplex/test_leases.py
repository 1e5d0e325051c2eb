"""Leases: least busy first, unhealthy instances out of rotation, given back once."""

from __future__ import annotations

import pytest

from duplex.roles import NoCapacity, Pair, PairPool
from tests.engine_script import EngineScript
from tests.scripted_engine import ScriptedInstance


def pool(pairs: int, sessions: int) -> PairPool:
    made = [
        Pair(
            ScriptedInstance(EngineScript(), name=f"{n}a"),
            ScriptedInstance(EngineScript(), name=f"{n}b"),
        )
        for n in range(pairs)
    ]
    return PairPool(made, sessions)


def test_sessions_go_to_the_least_busy_pair_until_all_are_full() -> None:
    process = pool(2, 2)
    leases = [process.lease() for _ in range(4)]
    assert {lease.pair for lease in leases[:2]} == set(process.pairs)
    with pytest.raises(NoCapacity):
        process.lease()
    leases[0].release()
    leases[0].release()
    assert (process.num_sessions, process.room) == (3, 1)


def test_sessions_of_one_pair_begin_with_opposite_roles() -> None:
    process = pool(1, 2)
    first, second = process.lease(), process.lease()
    assert first.roles == tuple(reversed(second.roles))


def test_an_unhealthy_instance_takes_its_pair_out_of_rotation_until_it_recovers() -> None:
    process = pool(1, 2)
    lease = process.lease()
    outage = lease.mark_unresponsive(process.pairs[0].first)
    assert process.room == 1
    outage.is_unhealthy = True
    assert (process.capacity, process.room) == (0, 0)
    lease.mark_recovered(outage)
    assert process.room == 1


def test_of_two_outages_of_one_instance_the_end_of_the_first_ends_only_itself() -> None:
    process = pool(2, 2)
    instance = process.pairs[0].first
    leases = process.lease(), process.lease()
    outages = [lease.mark_unresponsive(instance) for lease in leases]
    for outage in outages:
        outage.is_unhealthy = True
    leases[0].mark_recovered(outages[0])
    assert not process.pairs[0].is_healthy
    assert not process.pairs[0].is_usable(instance)
    leases[1].mark_recovered(outages[1])
    assert process.pairs[0].is_healthy


def test_an_outage_counts_for_the_pair_of_the_instance_not_of_the_session() -> None:
    process = pool(2, 2)
    lease = process.lease()
    other = next(pair for pair in process.pairs if pair is not lease.pair)
    lease.mark_unresponsive(other.first).is_unhealthy = True
    assert lease.pair.is_healthy and not other.is_healthy


def test_a_lost_monitor_is_replaced_by_another_healthy_instance_or_the_generators_own() -> None:
    process = pool(2, 2)
    lease = process.lease()
    generator, lost = lease.roles
    assert lease.replacement(lost, generator).name.startswith("1")
    for instance in process.pairs[1].instances:
        lease.mark_unresponsive(instance)
    assert lease.replacement(lost, generator) is generator


class Mortal(ScriptedInstance):
    """An instance that may be down."""

    is_up = True


@pytest.mark.parametrize(
    ("down", "unresponsive", "chosen"),
    [
        ((), (), "0b"),  # of one pair: the generator's own
        (("0b",), (), "0a"),  # which is down: only a stream of the lost one was broken
        ((), ("0b",), "0a"),
        (("0a",), (), "0b"),
        (("0a", "0b"), (), "0b"),  # nobody: the generator's own is tried, and says what is wrong
        (("0a",), ("0b",), "0b"),
    ],
)
def test_a_replacement_is_up_where_any_instance_is(
    down: tuple[str, ...], unresponsive: tuple[str, ...], chosen: str
) -> None:
    lost, generator = (Mortal(EngineScript(), name=name) for name in ("0a", "0b"))
    lease = PairPool([Pair(lost, generator)], 2).lease()
    for one in (lost, generator):
        one.is_up = one.name not in down
        if one.name in unresponsive:
            lease.mark_unresponsive(one)
    assert lease.replacement(lost, generator).name == chosen


def test_a_replacement_of_another_pair_is_one_that_is_up() -> None:
    a, b, c, d = (Mortal(EngineScript(), name=name) for name in ("0a", "0b", "1a", "1b"))
    pairs = [Pair(a, b), Pair(c, d)]
    lease = PairPool(pairs, 2).lease()
    lost, generator = lease.pair.instances
    other = next(pair for pair in pairs if pair is not lease.pair)
    assert isinstance(other.first, Mortal)
    other.first.is_up = False
    assert lease.replacement(lost, generator) is other.second
