"""A real Redis that is slow, silent, down or full, under calls that must not notice it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import Fernet

from benchmarks.store_faults import FAULTS, FaultyStore, faulty_store
from server.config import ResumeSettings
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import House, receive
from tests.server.resume.resuming import ask_to_be_kept, lose, write_turn

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)
TURN = 2.0  # seconds in which a turn of a tenth of a second is over, however busy the machine is


@pytest.fixture
async def store() -> AsyncIterator[FaultyStore]:
    async with faulty_store() as made:
        yield made


def served_with(store: FaultyStore) -> House:
    settings = {
        "store": f"redis://127.0.0.1:{store.line.port}/0",
        "keys": [Fernet.generate_key().decode()],
    }
    script = EngineScript(answers=[ScriptedAnswer("one two", word_seconds=0.05)])
    return House(script, resume=ResumeSettings.model_validate(settings))


def writes(house: House, outcome: str) -> float:
    value = house.service.metrics.registry.get_sample_value(
        "antiphon_resume_writes_total", {"outcome": outcome}
    )
    return value or 0.0


async def until_more(house: House, outcome: str, than: float) -> None:
    """Wait until another write has come out like this."""
    async with asyncio.timeout(15):
        while writes(house, outcome) <= than:  # noqa: ASYNC110  a counter tells only when asked
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "well"])
async def test_calls_do_not_notice(store: FaultyStore, fault: str) -> None:
    clock = asyncio.get_running_loop().time
    async with served_with(store) as house, house.connect() as client:
        await ask_to_be_kept(client)
        await write_turn(client, "My name is Ada.")
        await until_more(house, "written", 0)
        if fault == "full":
            await store.stop()
        await FAULTS[fault](store)
        for number in range(3):
            began = clock()
            await write_turn(client, f"Turn {number}.")
            assert clock() - began < TURN
        await until_more(house, "failed", 0)
        async with house.connect() as another:  # new calls come in as well
            began = clock()
            await receive(another, "session.created")
            assert clock() - began < TURN


@pytest.mark.parametrize("fault", ["slow", "silent", "down"])
async def test_a_store_that_is_well_again_has_the_whole_call(
    store: FaultyStore, fault: str
) -> None:
    async with served_with(store) as house:
        client = await house.connect()
        token = await ask_to_be_kept(client)
        await write_turn(client, "My name is Ada.")
        await FAULTS[fault](store)
        await write_turn(client, "What is my name?")
        await until_more(house, "failed", 0)
        if fault == "down":
            await store.start()
        store.line.set(0.0)
        await until_more(house, "written", writes(house, "written"))
        await lose(client)
        await house.until_empty()
        async with house.connect(f"resume={token}") as again:
            created = await receive(again, "session.created")
            assert len(created["session"]["antiphon"]["resumed"]["items"]) == 4


async def test_a_resume_that_the_store_does_not_answer_is_refused_in_time(
    store: FaultyStore,
) -> None:
    from websockets.exceptions import InvalidStatus

    async with served_with(store) as house:
        client = await house.connect()
        token = await ask_to_be_kept(client)
        await write_turn(client, "My name is Ada.")
        await until_more(house, "written", 0)
        store.line.set(None)
        async with asyncio.timeout(10):
            with pytest.raises(InvalidStatus) as caught:
                await house.connect(f"resume={token}")
        assert caught.value.response.status_code == 503
        store.line.set(0.0)
        await lose(client)
        await house.until_empty()
        async with house.connect(f"resume={token}") as again:  # it was not used up
            await receive(again, "session.created")
