"""Both stores keep the same promises; Redis is a real server."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.resume.stores import AlreadyTaken, MemoryStore, RedisStore, SnapshotStore, StoreFailed

PLACE = "a" * 64


@asynccontextmanager
async def redis_server(folder: Path, *options: str) -> AsyncIterator[str]:
    """A Redis that listens on a Unix socket of its own; its address."""
    path = folder / "redis"
    process = await asyncio.create_subprocess_exec(
        *("redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            while b"ready to accept connections" not in await process.stdout.readline():
                continue
        yield f"unix://{path}"
    finally:
        process.kill()
        await process.wait()


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SnapshotStore]:
    if request.param == "memory":
        yield MemoryStore(10**6, asyncio.get_running_loop().time)
        return
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    async with redis_server(tmp_path) as url:
        opened = RedisStore(url)
        yield opened
        await opened.close()


async def test_fields_are_added_changed_and_taken_out(store: SnapshotStore) -> None:
    await store.put(PLACE, {"talk": b"one", "sound": b"\x00\xff"}, 60)
    await store.put(PLACE, {"talk": b"two", "sound": None, "more": b"3"}, 60)
    assert await store.get(PLACE) == {"talk": b"two", "more": b"3"}
    assert await store.get("b" * 64) == {}


async def test_exactly_one_takes_it(store: SnapshotStore) -> None:
    await store.put(PLACE, {"talk": b"one"}, 60)
    taken = await asyncio.gather(*(store.take(PLACE) for _ in range(8)))
    assert sorted(taken) == [False] * 7 + [True]
    assert await store.get(PLACE) == {}


async def test_who_wrote_it_cannot_bring_back_what_was_taken(store: SnapshotStore) -> None:
    await store.put(PLACE, {"talk": b"one"}, 60)
    assert await store.take(PLACE)
    for changed in ({"talk": b"two"}, {"talk": None}, {}):
        with pytest.raises(AlreadyTaken):
            await store.put(PLACE, changed, 60)
    assert await store.get(PLACE) == {} and not await store.take(PLACE)


async def test_what_was_given_back_can_be_taken_again(store: SnapshotStore) -> None:
    await store.put(PLACE, {"talk": b"one", "sound": b"1"}, 60)
    assert await store.take(PLACE)
    await store.give_back(PLACE, {"talk": b"two"}, 60)
    assert await store.get(PLACE) == {"talk": b"two"}
    assert await store.take(PLACE) and not await store.take(PLACE)


async def test_it_expires_unless_it_is_written_again(store: SnapshotStore) -> None:
    await store.put(PLACE, {"talk": b"one"}, 0.4)
    await store.put("b" * 64, {"talk": b"two"}, 0.1)
    await store.put(PLACE, {}, 60)
    async with asyncio.timeout(5):
        while await store.get("b" * 64):  # noqa: ASYNC110  a store tells only when asked
            await asyncio.sleep(0.05)
    assert not await store.take("b" * 64)
    await asyncio.sleep(0.4)  # the time that the first writing gave is over
    assert await store.get(PLACE) == {"talk": b"one"}


async def test_memory_is_bounded_and_the_oldest_goes() -> None:
    store = MemoryStore(250, asyncio.get_running_loop().time)
    for name in ("a", "b", "c"):
        await store.put(name, {"talk": bytes(100)}, 60)
    assert [bool(await store.get(name)) for name in ("a", "b", "c")] == [False, True, True]
    with pytest.raises(StoreFailed, match="larger"):
        await store.put("d", {"talk": bytes(300)}, 60)


async def test_a_store_that_is_down_fails_within_its_time(tmp_path: Path) -> None:
    store = RedisStore(f"unix://{tmp_path}/nobody")
    async with asyncio.timeout(4):
        with pytest.raises(StoreFailed):
            await store.get(PLACE)
    await store.close()


async def test_a_store_that_hangs_fails_within_its_time() -> None:
    """It accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        async with asyncio.timeout(6):
            with pytest.raises(StoreFailed):
                await store.put(PLACE, {"talk": b"one"}, 60)
        await store.close()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
async def test_a_store_that_is_full_fails_and_goes_on(tmp_path: Path) -> None:
    options = ("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")
    async with redis_server(tmp_path, *options) as url:
        store = RedisStore(url)
        with pytest.raises(StoreFailed):
            for number in range(100):
                await store.put(f"{number}", {"talk": bytes(100_000)}, 60)
        assert await store.take("0") and not await store.take("0")
        await store.close()
