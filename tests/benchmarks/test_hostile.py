"""Mutants are many and reproducible; frames of a kind are answered as that kind should be."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from random import Random

from benchmarks.driver import CallerLine
from benchmarks.fuzz import Findings, fuzz
from benchmarks.hostile.frames import form
from benchmarks.hostile.mutations import VALID, mutant
from server.realtime.client_events import CLIENT_EVENT
from tests.server.house import KEY, House


def test_every_event_of_the_grammar_is_among_the_valid_ones() -> None:
    known = {event["type"] for event in VALID}
    assert {CLIENT_EVENT.validate_python(event).type for event in VALID} == known
    schema = json.dumps(CLIENT_EVENT.json_schema()["discriminator"]["mapping"])
    assert all(f'"{kind}"' in schema for kind in known)
    assert len(known) == len(CLIENT_EVENT.json_schema()["discriminator"]["mapping"])


def test_mutants_come_again_with_their_seed_and_many_are_read() -> None:
    first, second = Random(7), Random(7)
    drawn = [mutant(first) for _ in range(300)]
    assert drawn == [mutant(second) for _ in range(300)]
    read = Counter[bool]()
    for text in drawn:
        try:
            CLIENT_EVENT.validate_python(json.loads(text))
            read[True] += 1
        except (ValueError, RecursionError):
            read[False] += 1
    assert read[True] > 60 and read[False] > 60
    assert len({form(first).name for _ in range(400)}) >= 19


async def test_a_real_server_takes_them_beside_a_neighbour() -> None:
    async with House(sessions_per_pair=8) as house:
        line = CallerLine(f"ws://{house.host}/v1/realtime", KEY)
        async with asyncio.timeout(100):
            found, neighbour = await fuzz(line, events=300, seed=3)
        assert isinstance(found, Findings)
        assert (found.faults, neighbour.faults) == ([], [])
        assert found.sent == 300 and neighbour.latencies
