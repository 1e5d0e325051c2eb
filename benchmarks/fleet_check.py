"""What three real servers behind the balancer do with calls, and what the simulation predicts.

First each property that the simulation needs is measured by itself: the places of a server, the
time for which a call holds its place beyond its own length, the time until a place that has become
free takes a call again, and the time until a new server takes calls. Then calls are predicted with
these properties, and made; nothing was fitted to them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from benchmarks.fleet_model import FleetModel, FleetOutcome, FleetPlan, Times
from benchmarks.restarts import FleetServer, RestartedFleet

AGREEMENT = 0.2
_CALLS = 20  # that are made to see how long a call holds its place
_PLACES_FREED = 30
_POLL = 0.02  # seconds between two tries for a place that has become free
_STEP = 0.02  # of the simulation


@dataclass(frozen=True, slots=True)
class FleetProperties:
    """Measured, in seconds but for `places`: calls that one server takes; `start`: from a server's
    start until the balancer has let a call through to it; `hold`: for which a call holds its place
    beyond its length; `notice`: from a place's end on a full fleet until it is taken again."""

    places: int
    start: float
    hold: float
    notice: float


@dataclass(slots=True)
class RealOutcome:
    """What real callers met with: tries that were refused, callers who gave up, seconds waited."""

    offered: int = 0
    refused: int = 0
    given_up: int = 0
    waits: list[float] = field(default_factory=list)


def _line(url: str) -> connect:
    headers = {"Authorization": f"Bearer {os.environ['ANTIPHON_KEY']}"}
    return connect(url, additional_headers=headers, proxy=None)


async def _is_let_in(url: str, stack: AsyncExitStack) -> bool:
    """Call; the call stays open as long as `stack`. False where it was refused."""
    try:
        await stack.enter_async_context(_line(url))
    except InvalidStatus as error:
        if error.response.status_code != 503:
            raise
        return False
    return True


# ----------------------------------------------------------------------------- the properties


async def properties(running: RestartedFleet) -> FleetProperties:
    """Measure them, on a fleet without calls."""
    places = await _places(running.servers[0])
    hold = await _hold(running.url)
    notice = await _notice(running.url, 3 * places)
    return FleetProperties(places, await _start(running), hold, notice)


async def _places(server: FleetServer) -> int:
    async with AsyncExitStack() as calls:
        count = 0
        while await _is_let_in(f"ws://127.0.0.1:{server.port}/v1/realtime", calls):
            count += 1
    await _until_free(server, count)
    return count


async def _until_free(server: FleetServer, places: int) -> None:
    """Wait until all calls of a server are over."""
    async with httpx.AsyncClient() as http, asyncio.timeout(10):
        while True:
            state = (await http.get(f"http://127.0.0.1:{server.port}/readyz")).json()
            if state["sessions_left"] == places:
                return
            await asyncio.sleep(_POLL)


async def _hold(url: str) -> float:
    began = time.monotonic()
    for _ in range(_CALLS):
        async with _line(url):
            pass
    return (time.monotonic() - began) / _CALLS


async def _notice(url: str, places: int) -> float:
    """Fill the fleet, then end one call after the other and see when another is let in instead."""
    delays = []
    async with AsyncExitStack() as all_calls:
        calls: list[AsyncExitStack] = []
        while True:
            one = await all_calls.enter_async_context(AsyncExitStack())
            if not await _is_let_in(url, one):
                if len(calls) >= places:
                    break
                await asyncio.sleep(_POLL)  # the balancer does not know yet of a place
                continue
            calls.append(one)
        random = np.random.default_rng(1)
        for _ in range(_PLACES_FREED):
            await asyncio.sleep(float(random.uniform(0, 1)))  # at any moment between two checks
            await calls.pop(0).aclose()
            ended = time.monotonic()
            one = await all_calls.enter_async_context(AsyncExitStack())
            while not await _is_let_in(url, one):  # noqa: ASYNC110  it tells only when asked
                await asyncio.sleep(_POLL)
            delays.append(time.monotonic() - ended)
            calls.append(one)
    return float(np.mean(delays))


async def _start(running: RestartedFleet) -> float:
    """End one server and start it again, until the balancer lets a call through to it."""
    server = running.servers[-1]
    await server.end(signal.SIGTERM)
    began = time.monotonic()
    await server.start()
    async with AsyncExitStack() as both, httpx.AsyncClient() as http:
        for _ in running.servers[:-1]:
            await _is_let_in(running.url, both)  # one on each: the next call goes to the new one
        while True:
            async with AsyncExitStack() as call:
                await _is_let_in(running.url, call)
                state = (await http.get(f"http://127.0.0.1:{server.port}/readyz")).json()
                if state["sessions"]:
                    return time.monotonic() - began
            await asyncio.sleep(_POLL)


# ---------------------------------------------------------------------------------- the calls


async def _call(url: str, length: float, plan: FleetPlan, outcome: RealOutcome) -> None:
    """One caller: connect, stay so long, hang up; refused, try again later."""
    arrived = time.monotonic()
    outcome.offered += 1
    for attempt in range(1, plan.tries + 1):
        async with AsyncExitStack() as stack:
            if await _is_let_in(url, stack):
                if attempt > 1:
                    outcome.waits.append(time.monotonic() - arrived)
                await asyncio.sleep(length)
                return
        outcome.refused += 1
        if attempt < plan.tries:
            await asyncio.sleep(plan.retry)
    outcome.given_up += 1


async def make_calls(url: str, arrivals: Times, lengths: Times, plan: FleetPlan) -> RealOutcome:
    outcome, began = RealOutcome(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for arrival, length in zip(arrivals, lengths, strict=True):
            await asyncio.sleep(max(0.0, began + float(arrival) - time.monotonic()))
            group.create_task(_call(url, float(length), plan, outcome))
    return outcome


def calls_of(seed: int, seconds: float, offered: float, mean: float) -> tuple[Times, Times]:
    """Arrivals and lengths; `offered`: calls that would be open on average, were none refused."""
    random = np.random.default_rng(seed)
    count = random.poisson(offered / mean * seconds)
    return np.sort(random.uniform(0, seconds, count)), random.exponential(mean, count)


async def check(
    running: RestartedFleet, seeds: list[int], seconds: float, load: float, mean: float
) -> dict[str, Any]:
    """Measure the fleet, then predict and make the calls of each seed; one report."""
    known = await properties(running)
    plan = FleetPlan(known.places, least=3, most=3, retry=1.0, tries=4, step=_STEP)
    met, said = RealOutcome(), FleetOutcome()
    runs = []
    for seed in seeds:
        arrivals, lengths = calls_of(seed, seconds, load * 3 * known.places, mean)
        held = lengths + known.hold + known.notice
        predicted = FleetModel(plan, seed).run([(arrivals, held)])
        real = await make_calls(running.url, arrivals, lengths, plan)
        runs.append({"seed": seed} | compared(real, predicted))
        for name in ("offered", "refused", "given_up", "waits"):
            setattr(met, name, getattr(met, name) + getattr(real, name))
            setattr(said, name, getattr(said, name) + getattr(predicted, name))
    return {
        "properties": asdict(known),
        "calls": met.offered,
        "all": compared(met, said),
        "runs": runs,
    }


def compared(met: RealOutcome, said: FleetOutcome) -> dict[str, dict[str, Any]]:
    """Refused tries, callers who gave up, and the mean wait of all who were let in."""
    let_in = max(1, met.offered - met.given_up)
    pairs = {
        "refused_tries": (float(met.refused), float(said.refused)),
        "gave_up": (float(met.given_up), float(said.given_up)),
        "mean_wait_s": (sum(met.waits) / let_in, said.mean_wait),
    }
    return {
        name: {
            "real": round(real, 3),
            "simulated": round(simulated, 3),
            "agrees": abs(simulated - real) <= AGREEMENT * real,
        }
        for name, (real, simulated) in pairs.items()
    }
