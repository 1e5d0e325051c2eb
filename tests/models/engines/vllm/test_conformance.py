"""tests: the suite that every engine passes, on real vLLM engines: nano on two, VITA-1.5 on one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from models.base import Instance
from models.engines.vllm.engines import Engines
from tests.models.engines import test_conformance as suite
from tests.models.engines.vllm.engine_room import instances_of

pytestmark = pytest.mark.timeout(600)  # the first of all starts engines


@pytest_asyncio.fixture(params=["nano", "vita"])
async def instances(
    request: pytest.FixtureRequest, nano: Engines, vita: Engines
) -> AsyncIterator[tuple[Instance, Instance]]:
    async with instances_of({"nano": nano, "vita": vita}[request.param]) as pair:
        yield pair


@pytest.fixture
def instance(instances: tuple[Instance, Instance]) -> Instance:
    return instances[0]


globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})
