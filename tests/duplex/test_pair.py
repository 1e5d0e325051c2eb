"""Leases: least busy first, ill instances out of rotation, given back once."""

from __future__ import annotations

import pytest

from duplex.pair import NoCapacity, Pair, PairPool
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
    house = pool(2, 2)
    leases = [house.lease() for _ in range(4)]
    assert {lease.pair for lease in leases[:2]} == set(house.pairs)
    with pytest.raises(NoCapacity):
        house.lease()
    leases[0].release()
    leases[0].release()
    assert (house.num_sessions, house.room) == (3, 1)


def test_sessions_of_one_pair_begin_with_opposite_roles() -> None:
    house = pool(1, 2)
    first, second = house.lease(), house.lease()
    assert first.roles == tuple(reversed(second.roles))


def test_an_ill_instance_takes_its_pair_out_of_rotation_until_it_is_well() -> None:
    house = pool(1, 2)
    lease = house.lease()
    lease.mark_stuck(house.pairs[0].first)
    assert house.room == 1
    lease.mark_ill(house.pairs[0].first)
    assert (house.capacity, house.room) == (0, 0)
    lease.mark_well(house.pairs[0].first)
    assert house.room == 1


def test_a_lost_monitor_is_replaced_by_another_healthy_instance_or_the_generators_own() -> None:
    house = pool(2, 2)
    lease = house.lease()
    generator, lost = lease.roles
    assert lease.replacement(lost, generator).name.startswith("1")
    for instance in house.pairs[1].instances:
        house.pairs[1].stuck.add(instance.name)
    assert lease.replacement(lost, generator) is generator
