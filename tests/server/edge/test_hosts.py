"""Foreign names are refused where no key protects; pages come with rules for browsers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.config import ServerSettings
from server.edge.hosts import host_name, is_answered
from tests.server.house import House

OPEN = {"host": "0.0.0.0", "without_keys": True}
KEYS = {"api_keys": ["a-long-key"]}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8080", "localhost"),
        ("[::1]:8080", "::1"),
        ("Example.COM.", "example.com"),
        ("", ""),
        ("[", ""),
        ("a]b", ""),
        ("user@evil.example", "evil.example"),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("name", "given", "is_right"),
    [
        ("localhost", {}, True),
        ("127.9.9.9", {}, True),
        ("::1", {}, True),
        ("evil.example", {}, False),
        ("203.0.113.7", {}, False),
        ("evil.example", OPEN, False),
        ("203.0.113.7", OPEN, True),
        ("localhost", OPEN, True),
        ("evil.example", {"host": "0.0.0.0", **KEYS}, True),
        ("evil.example", {**OPEN, "host_names": ["good.example"]}, False),
        ("203.0.113.7", {**OPEN, "host_names": ["good.example"]}, False),
        ("good.example", {**OPEN, "host_names": ["Good.example"]}, True),
        ("evil.example", {**KEYS, "host_names": ["good.example"]}, False),
        ("evil.example", {**OPEN, "host_names": ["*"]}, True),
        ("good.example", {"allowed_origins": ["https://good.example"]}, True),
        ("", OPEN, False),
    ],
)
def test_which_names_are_answered(name: str, given: dict[str, Any], is_right: bool) -> None:
    assert is_answered(name, ServerSettings(**given)) is is_right


async def test_a_foreign_name_gets_nothing_but_health() -> None:
    async with House(api_keys=[]) as house, httpx.AsyncClient(trust_env=False) as client:
        foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
        for path in ("/", "/v1/models", "/app.js", "/nowhere"):
            answer = await client.get(f"http://{house.host}{path}", headers=foreign)
            assert (path, answer.status_code) == (path, 421)
        for path in ("/healthz", "/readyz", "/metrics"):
            answer = await client.get(f"http://{house.host}{path}", headers=foreign)
            assert (path, answer.status_code) == (path, 200)
        assert 'antiphon_refusals_total{reason="host"} 4.0' in house.service.metrics.text().decode()
        with pytest.raises(InvalidStatus) as caught:
            uri, (host, port) = "ws://evil.example/v1/realtime", house.host.split(":")
            async with connect(uri, host=host, port=int(port), proxy=None):
                pass
        assert caught.value.response.status_code == 421


async def test_the_page_comes_with_rules_for_browsers() -> None:
    async with House() as house, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{house.host}/")
        policy = answer.headers["content-security-policy"]
        assert f"connect-src 'self' ws://{house.host} wss://{house.host};" in policy
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
