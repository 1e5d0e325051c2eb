"""How much one address and one key may ask for: conversations at a time, connections a minute."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from server.admission import Denied
from server.edge.allowances import Allowances
from server.realtime.budget import TokenBucket

_MOST_KNOWN = 10_000  # addresses and keys that are remembered at a time


class Visitors:
    """Counts the visits to one server. Who comes from the machine itself is counted by key only:
    that is the operator, or a proxy that does not say for whom it asks."""

    def __init__(self, allowances: Allowances, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowances, self._clock = allowances, clock
        self._buckets: dict[str, TokenBucket] = {}
        self._open: Counter[str] = Counter()

    def knock(self, address: str) -> None:
        """A connection from an address, before its key is looked at. Raises Denied."""
        place = _place(address)
        if place:
            self._count(place, self._allowances.address_connections, "address_rate")

    def present(self, key: str, *, is_ephemeral: bool) -> None:
        """A connection with this key, by its digest (empty: none is needed). Raises Denied."""
        if not key:
            return  # the server is open to everybody
        allowed = self._allowances
        most = allowed.ephemeral_connections if is_ephemeral else allowed.key_connections
        self._count(key, most, "key_rate")

    @contextmanager
    def conversing(self, address: str, key: str, *, is_ephemeral: bool) -> Iterator[None]:
        """Hold a conversation of this address and key. Raises Denied."""
        allowed = self._allowances
        most = allowed.ephemeral_sessions if is_ephemeral else allowed.key_sessions
        bounds = [(key, most, "key_sessions")] if key else []
        if place := _place(address):
            bounds.append((place, allowed.address_sessions, "address_sessions"))
        for name, bound, reason in bounds:
            if self._open[name] >= bound:
                message = f"At most {bound} conversations at a time from here."
                raise Denied(429, reason, message)
        self._open.update(name for name, _, _ in bounds)
        try:
            yield
        finally:
            for name, _, _ in bounds:
                self._open[name] -= 1
                if not self._open[name]:
                    del self._open[name]

    def _count(self, name: str, a_minute: int, reason: str) -> None:
        bucket = self._buckets.get(name)
        if bucket is None:
            self._make_room()
            bucket = self._buckets[name] = TokenBucket(a_minute / 60, a_minute, self._clock)
        if not bucket.try_take():
            raise Denied(429, reason, f"At most {a_minute} connections a minute from here.")

    def _make_room(self) -> None:
        """Forget those who have not come for a while; if all have, the oldest."""
        if len(self._buckets) < _MOST_KNOWN:
            return
        self._buckets = {name: each for name, each in self._buckets.items() if not each.is_full}
        if len(self._buckets) >= _MOST_KNOWN:
            for name in list(self._buckets)[: _MOST_KNOWN // 10]:
                del self._buckets[name]


def _place(address: str) -> str:
    """Whom an address stands for: a network of 2**64 addresses is one home. Empty: nobody."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return ""
    if isinstance(found, IPv6Address):
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(found)
