"""Ray Serve on two raylets, with the bundled model: calls are refused aloud and cut by nothing.

Run by `make test-ray`: RAY_PYTHON is the interpreter of the environment that has Ray.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import soundfile
from cryptography.fernet import Fernet
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.call.caller import call
from server.call.script import CallScript, Cue
from server.call.timeline import TimelineClip
from tests.server.house import receive
from tests.server.resume.resuming import ask_to_be_kept, write_turn
from tests.server.resume.test_stores import redis_server

PYTHON = os.environ.get("RAY_PYTHON", "")
ROOT = Path(__file__).resolve().parents[3]
QUESTION = ROOT / "tests" / "data" / "audio" / "question_en_capital.flac"
KEY = "key-of-the-ray-tests"
PLACES = 3  # of a replica
REPLICAS = 2
DRAIN = 20.0  # seconds
NEW_KEY = Fernet.generate_key().decode()
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="run by `make test-ray`"),
    pytest.mark.timeout(420),
]


@dataclass
class RayCluster:
    """Two raylets that serve; `states` are those of the replicas, as they were last told."""

    process: Process
    host: str
    states: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                self.states = json.loads(line)
                self.changed.set()

    async def until(self, states: list[str], seconds: float) -> None:
        """Wait until the replicas are in these states."""
        async with asyncio.timeout(seconds):
            while sorted(self.states.values()) != sorted(states):
                await self.changed.wait()
                self.changed.clear()

    def connect(self, query: str = "model=nano") -> connect:
        headers = {"Authorization": f"Bearer {KEY}"}
        url = f"ws://{self.host}/v1/realtime?{query}"
        return connect(url, additional_headers=headers, proxy=None, max_size=None)


@asynccontextmanager
async def two_raylets(store: str) -> AsyncIterator[RayCluster]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = {
        "settings": {
            "api_keys": [KEY],
            "sessions_per_pair": PLACES,
            "resume": {"store": store, "keys": [NEW_KEY]},
        },
        "drain_seconds": DRAIN,
        "max_replicas": REPLICAS,
        "share": 0.67,  # two calls: so a third one brings the second replica, and two need only one
        "downscale_delay": 3.0,
        "num_cpus": 1,
    }
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, "-m", "tests.deploy.ray.two_raylets", str(port), json.dumps(options)),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(180):
            while (line := await process.stdout.readline()) != b"serving\n":
                assert line, "the driver has ended; see above"
        cluster = RayCluster(process, f"127.0.0.1:{port}")
        following = asyncio.create_task(cluster.follow())
        yield cluster
        following.cancel()
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(60):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def opened(cluster: RayCluster, calls: AsyncExitStack, within: float) -> ClientConnection:
    """A call that asks to be kept; a full cluster is asked again, as it says."""
    until = time.monotonic() + within
    while True:
        try:
            client = await calls.enter_async_context(cluster.connect())
        except InvalidStatus as error:
            assert error.response.status_code == 503 and time.monotonic() < until
            await asyncio.sleep(1.0)
            continue
        await ask_to_be_kept(client)
        return client


async def drained(client: ClientConnection) -> str:
    """The token with which the call is to go on elsewhere; it is closed with 1012."""
    while (event := json.loads(await client.recv()))["type"] != "error":
        pass  # however long it takes
    error = event["error"]
    assert error["code"] == "session_draining"
    with pytest.raises(ConnectionClosed) as caught:
        await receive(client, "never")
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 1012
    token: str = error["resume_token"]
    return token


async def test_calls_on_two_raylets(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as store, two_raylets(store) as cluster:
        await a_question_is_answered(cluster)
        async with AsyncExitStack() as calls:
            clients = await every_place_is_taken(cluster, calls)
            await one_more_is_refused_aloud(cluster)
            for client in clients[1:-1]:
                await client.close()
            await a_scale_down_cuts_nobody(cluster, clients[0], clients[-1])


async def a_question_is_answered(cluster: RayCluster) -> None:
    samples, rate = soundfile.read(QUESTION, dtype="float32")
    script = CallScript(cues=(Cue(TimelineClip.of("question", samples, rate)),), patience=30.0)
    record = await call(f"ws://{cluster.host}/v1/realtime", script, key=KEY)
    (answer,) = record.answers
    assert answer.audible is not None and "Paris" in answer.transcript


async def every_place_is_taken(
    cluster: RayCluster, calls: AsyncExitStack
) -> list[ClientConnection]:
    """The third call is what brings the second replica."""
    clients = [await opened(cluster, calls, within=10) for _ in range(PLACES)]
    await cluster.until(["RUNNING"] * REPLICAS, 120)
    clients += [await opened(cluster, calls, within=10) for _ in range(PLACES)]
    return clients


async def one_more_is_refused_aloud(cluster: RayCluster) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(InvalidStatus) as caught:
            await cluster.connect()
    refused = caught.value.response
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
    assert json.loads(refused.body)["error"]["code"] == "capacity"


async def a_scale_down_cuts_nobody(
    cluster: RayCluster, first: ClientConnection, last: ClientConnection
) -> None:
    """One call on each replica, and one replica is enough for both."""
    said = {client: await write_turn(client, "What is two plus two?") for client in (first, last)}
    await cluster.until(["RUNNING", "STOPPING"], 60)
    began = time.monotonic()
    for client in (first, last):
        await write_turn(client, "And three plus three?")
    async with cluster.connect() as new:  # it goes where calls are still taken
        await receive(new, "session.created")
    ends = {asyncio.create_task(drained(each)): each for each in (first, last)}
    done, left = await asyncio.wait(ends, timeout=DRAIN + 30, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1 and time.monotonic() - began > DRAIN - 5
    for task in left:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await write_turn(ends[task], "Still there?")
    (task,) = done
    async with cluster.connect(f"resume={task.result()}") as again:
        created: dict[str, Any] = await receive(again, "session.created")
        assert said[ends[task]]["id"] in created["session"]["antiphon"]["resumed"]["items"]
        await write_turn(again, "Where were we?")
    await cluster.until(["RUNNING"], 60)


async def test_the_example_file_is_what_the_application_takes() -> None:
    check = (
        "import sys, yaml; from server.ray_serve import RayOptions; "
        "(one,) = yaml.safe_load(open('deploy/ray/serve.yaml'))['applications']; "
        "assert one['import_path'] == 'server.ray_serve:application'; "
        "RayOptions(**one['args']).loaded()"
    )
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, "-c", check),
        cwd=ROOT,
        env={**os.environ, "ANTIPHON_API_KEYS": KEY, "ANTIPHON_RESUME__KEYS": NEW_KEY},
    )
    assert await process.wait() == 0
