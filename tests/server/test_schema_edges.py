"""Every bound of every field of a session, tried through a real session: what is accepted works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from server.realtime.budget import BudgetSettings
from server.realtime.session_config import SessionConfig
from tests.server.house import House, receive

_FIXED = ("model", "voice", "tool_choice", "pattern")


def edges(schema: dict[str, Any], whole: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """(path, value) for each bound and each member of an enumeration below a schema."""
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from edges(option, whole, path)
    for name, field in schema.get("properties", {}).items():
        if name not in _FIXED:
            yield from edges(field, whole, f"{path}.{name}" if path else name)
    for bound in ("minimum", "maximum"):
        if bound in schema:
            yield path, schema[bound]
    if schema.get("type") == "boolean":
        yield from ((path, value) for value in (True, False))
    for value in schema.get("enum", ()):
        yield path, value


def patch(path: str, value: Any) -> dict[str, Any]:
    *outer, last = path.split(".")
    found: dict[str, Any] = {last: [value] if last in ("events", "output_modalities") else value}
    for name in reversed(outer):
        if name == "turn_detection":
            is_server = last not in ("eagerness",)
            found["type"] = "server_vad" if is_server else "semantic_vad"
        if name == "truncation":
            found["type"] = "retention_ratio"
        found = {name: found}
    return found


_SCHEMA = SessionConfig.model_json_schema()
EDGES = list(dict.fromkeys((p, json.dumps(v)) for p, v in edges(_SCHEMA, _SCHEMA, "")))


def test_the_walk_finds_the_fields_with_bounds() -> None:
    paths = {path for path, _ in EDGES}
    assert {
        "antiphon.lead_ms",
        "antiphon.endpoint_delay_ms",
        "antiphon.temperature",
        "antiphon.sensitivity.query",
        "audio.input.turn_detection.threshold",
        "audio.input.turn_detection.idle_timeout_ms",
        "max_output_tokens",
        "truncation.retention_ratio",
    } <= paths
    assert ("antiphon.lead_ms", "0") in EDGES and len(EDGES) > 40


async def answers(client: Any) -> str:
    await client.send('{"type": "response.create", "response": {"max_output_tokens": 4}}')
    done = await receive(client, "response.done")
    return str(done["response"]["status"])


async def taken(house: House, path: str, text: str) -> bool:
    """Whether a session takes the value; taken or refused, it answers afterwards."""
    async with house.connect() as client:
        await receive(client, "session.created")
        change = {"type": "session.update", "session": patch(path, json.loads(text))}
        await client.send(json.dumps(change))
        async with asyncio.timeout(10):
            while True:
                event = await receive(client)
                if event["type"] in ("session.updated", "error"):
                    break
        assert await answers(client) in ("completed", "incomplete"), (path, text)
    return bool(event["type"] == "session.updated")


async def test_what_is_accepted_works() -> None:
    """A value that is refused leaves the session as it was; one that is taken lets it answer."""
    budget, places = BudgetSettings(updates_a_second=1000), asyncio.Semaphore(4)

    async def tried(path: str, text: str) -> bool:
        async with places:
            return await taken(house, path, text)

    async with House(budget=budget, sessions_per_pair=4) as house:
        found = await asyncio.gather(*(tried(path, text) for path, text in EDGES))
    assert sum(found) > 0.7 * len(EDGES)
