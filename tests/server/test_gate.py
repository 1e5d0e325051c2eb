"""Who gets in, and the plain HTTP beside the conversations."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server.house import KEY, House, noise, receive, silence
from tests.server.test_conversation import speak, until


def bearer(key: str) -> dict[str, Any]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("model=nano", {}, 401, "invalid_api_key"),
        ("model=nano", bearer("wrong-key"), 401, "invalid_api_key"),
        ("model=nano", bearer(KEY) | {"Origin": "http://evil.example"}, 403, "origin"),
        ("model=nano", bearer(KEY) | {"Origin": "null"}, 403, "origin"),
        ("model=other", bearer(KEY), 404, "model_not_found"),
        ("intent=transcription", bearer(KEY), 400, "invalid_intent"),
    ],
)
async def test_refused_before_the_upgrade(
    house: House,
    query: str,
    headers: dict[str, Any],
    status: int,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with pytest.raises(InvalidStatus) as caught:
        await house.connect(query, additional_headers=headers)
    response = caught.value.response
    assert response.status_code == status
    assert code in response.body.decode()
    assert KEY not in response.body.decode()
    assert house.service.admission.taken == 0
    await house.until(lambda: f"a client was refused ({status}" in caplog.text)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("model=nano", bearer("test-key-two")),
        ("", {"X-API-Key": KEY}),
        ("model=gpt-realtime&unknown=1", bearer(KEY) | {"OpenAI-Beta": "realtime=v1"}),
        ("model=nano", bearer(KEY) | {"Origin": "http://HOST"}),
    ],
)
async def test_let_in(house: House, query: str, headers: dict[str, Any]) -> None:
    given = {name: value.replace("HOST", house.host) for name, value in headers.items()}
    async with house.connect(query, additional_headers=given) as client:
        event = await receive(client)
        assert event["type"] == "session.created"
        assert event["session"]["model"] == "nano"
        assert client.subprotocol is None


async def test_browser_key_never_comes_back(house: House) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{KEY}", "openai-agents-sdk.0.20"]
    async with house.connect(additional_headers={}, subprotocols=offered) as client:
        assert client.subprotocol == "realtime"
        await receive(client, "session.created")


async def test_full_house(house: House) -> None:
    async with house.connect(), house.connect():
        with pytest.raises(InvalidStatus) as caught:
            await house.connect()
        assert caught.value.response.status_code == 503
        assert int(caught.value.response.headers["Retry-After"]) > 0
        async with httpx.AsyncClient(base_url=f"http://{house.host}") as http:
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "ready")
            assert ready.json()["sessions_left"] == 0
            ready = await http.get("/readyz?full=1")
            assert (ready.status_code, ready.json()["status"]) == (503, "full")
            assert int(ready.headers["Retry-After"]) > 0
    await house.until_empty()


async def test_client_secret(house: House) -> None:
    session: Any = {"type": "realtime", "instructions": "Be kind."}
    async with house.sdk as sdk:
        secret = await sdk.realtime.client_secrets.create(
            session=session, expires_after={"anchor": "created_at", "seconds": 60}
        )
    assert secret.value.startswith("ek_")
    sdk = AsyncOpenAI(api_key=secret.value, base_url=f"http://{house.host}/v1", max_retries=0)
    for _ in range(2):  # it works for many connections
        async with sdk.realtime.connect(model="nano") as connection:
            created: Any = await connection.recv()
            assert created.session.instructions == "Be kind."
    async with httpx.AsyncClient(base_url=f"http://{house.host}/v1/realtime") as http:
        again = await http.post("/client_secrets", json={}, headers=bearer(secret.value))
        assert again.status_code == 401  # a short-lived key makes no keys


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"seconds": 5}}, "expires_after.seconds"),
        ({"session": {"nonsense": 1}}, "session.nonsense"),
    ],
)
async def test_bad_client_secret(house: House, body: dict[str, Any], param: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{house.host}/v1/realtime") as http:
        answer = await http.post("/client_secrets", json=body, headers=bearer(KEY))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_health_and_models(house: House) -> None:
    async with httpx.AsyncClient(base_url=f"http://{house.host}") as http:
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["sessions_left"]) == (200, 2)
        metrics = (await http.get("/metrics")).text
        assert "antiphon_pairs 1.0" in metrics
        assert "antiphon_capacity_sessions 2.0" in metrics
        assert (await http.get("/v1/models")).status_code == 401
    async with house.sdk as sdk:
        assert [model.id async for model in sdk.models.list()] == ["nano"]


async def test_clients_are_told_that_the_server_goes_away() -> None:
    async with House() as house:
        client = await house.connect()
        await receive(client, "session.created")
    with pytest.raises(ConnectionClosed) as caught:
        await client.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012  # clients come back on this one


async def test_an_open_house_needs_no_key() -> None:
    async with House(api_keys=[]) as house, house.connect(additional_headers={}) as client:
        await receive(client, "session.created")


async def test_traces_hold_no_words_unless_asked(tmp_path: Any) -> None:
    async with House(trace_directory=tmp_path) as house, house.connect() as client:
        await receive(client, "session.created")
        await client.send('{"type": "response.create"}')
        await receive(client, "response.done")
    (trace,) = tmp_path.glob("*.jsonl")
    lines = trace.read_text(encoding="utf-8")
    assert '"ResponseEnded"' in lines
    assert '"text":"****' in lines and not re.search(r'"text":"[^"]*[a-z]', lines)


async def test_a_slow_answer_points_to_its_trace(tmp_path: Any) -> None:
    """In OpenMetrics a bucket names the trace file of the session that was last counted in it."""
    async with House(trace_directory=tmp_path) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            sound = (noise(0.6), silence(1.0))
            await asyncio.gather(speak(connection, *sound), until(connection, "response.done"))
        async with httpx.AsyncClient(base_url=f"http://{house.host}") as http:
            accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
            found = await http.get("/metrics", headers=accept)
            plain = (await http.get("/metrics")).text
        await house.until_empty()
    assert found.headers["content-type"].startswith("application/openmetrics-text")
    pattern = r'antiphon_response_latency_seconds_bucket.* # \{trace="(\w+\.jsonl)"\}'
    names = re.findall(pattern, found.text)
    assert names and (tmp_path / names[0]).is_file()
    assert "trace=" not in plain
    assert 'antiphon_build_info{engine="embedded",model="nano",version="' in plain
