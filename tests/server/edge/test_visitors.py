"""One address and one key may ask for so much, and for no more."""

from __future__ import annotations

import pytest

from server.admission import Denied
from server.edge.allowances import Allowances
from server.edge.visitors import Visitors

FAR = "203.0.113.7"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_connections_a_minute_of_an_address() -> None:
    clock = Clock()
    visitors = Visitors(Allowances(address_connections=2), clock)
    for _ in range(2):
        visitors.knock(FAR)
    with pytest.raises(Denied) as caught:
        visitors.knock(FAR)
    assert (caught.value.status, caught.value.reason) == (429, "address_rate")
    visitors.knock("203.0.113.8")
    clock.now = 31.0
    visitors.knock(FAR)


def test_a_home_has_many_addresses() -> None:
    visitors = Visitors(Allowances(address_connections=1), Clock())
    visitors.knock("2001:db8::1")
    with pytest.raises(Denied):
        visitors.knock("2001:db8::2")
    visitors.knock("2001:db8:0:1::1")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_is_not_counted_by_address(address: str) -> None:
    visitors = Visitors(Allowances(address_connections=1, address_sessions=1), Clock())
    for _ in range(5):
        visitors.knock(address)
    with visitors.conversing(address, "", is_ephemeral=False):
        with visitors.conversing(address, "", is_ephemeral=False):
            pass


@pytest.mark.parametrize(
    ("bounds", "is_ephemeral"),
    [({"key_connections": 2}, False), ({"ephemeral_connections": 2}, True)],
)
def test_connections_a_minute_of_a_key(bounds: dict[str, int], is_ephemeral: bool) -> None:
    visitors = Visitors(Allowances(**bounds), Clock())
    for _ in range(2):
        visitors.present("digest", is_ephemeral=is_ephemeral)
    with pytest.raises(Denied) as caught:
        visitors.present("digest", is_ephemeral=is_ephemeral)
    assert caught.value.reason == "key_rate"
    visitors.present("other", is_ephemeral=is_ephemeral)
    for _ in range(5):
        visitors.present("", is_ephemeral=False)


@pytest.mark.parametrize(
    ("bounds", "is_ephemeral", "reason"),
    [
        ({"key_sessions": 1}, False, "key_sessions"),
        ({"ephemeral_sessions": 1}, True, "key_sessions"),
        ({"address_sessions": 1}, False, "address_sessions"),
    ],
)
def test_conversations_at_a_time(bounds: dict[str, int], is_ephemeral: bool, reason: str) -> None:
    visitors = Visitors(Allowances(**bounds), Clock())
    with visitors.conversing(FAR, "digest", is_ephemeral=is_ephemeral):
        with pytest.raises(Denied) as caught:
            with visitors.conversing(FAR, "digest", is_ephemeral=is_ephemeral):
                pass
        assert caught.value.reason == reason
    with visitors.conversing(FAR, "digest", is_ephemeral=is_ephemeral):
        pass


def test_what_is_remembered_is_bounded() -> None:
    clock = Clock()
    visitors = Visitors(Allowances(), clock)
    for number in range(30_000):
        visitors.knock(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        clock.now += 0.0001
    assert len(visitors._buckets) <= 10_000
