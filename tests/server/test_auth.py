"""Keys, short-lived keys and origins."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from starlette.datastructures import Headers

from server.auth import Keyring, answered_subprotocol, is_origin_allowed, presented_key
from server.config import ServerSettings
from server.realtime.session_config import SessionConfig


@pytest.mark.parametrize(
    ("headers", "subprotocols", "key"),
    [
        ({"Authorization": "Bearer abc"}, [], "abc"),
        ({"authorization": "bearer  abc "}, [], "abc"),
        ({"Authorization": "Basic abc"}, [], None),
        ({"X-API-Key": "abc"}, [], "abc"),
        ({}, ["realtime", "openai-insecure-api-key.abc"], "abc"),
        ({}, ["realtime"], None),
    ],
)
def test_presented_key(headers: dict[str, str], subprotocols: list[str], key: str | None) -> None:
    assert presented_key(Headers(headers), subprotocols) == key


def test_subprotocol_answer() -> None:
    assert answered_subprotocol(["realtime", "openai-insecure-api-key.k"]) == "realtime"
    assert answered_subprotocol(["openai-insecure-api-key.k"]) is None


def test_keys() -> None:
    ring = Keyring(["first-key", "second-key"])
    assert ring.admit("first-key") and ring.admit("second-key")
    for wrong in (None, "", "first-ke", "first-key ", "ключ", "\udcff"):
        assert ring.admit(wrong) is None
    assert Keyring([]).admit(None)


def test_short_lived_keys() -> None:
    now = [1000.0]
    ring = Keyring(["first-key"], clock=lambda: now[0])
    session = SessionConfig().changed({"instructions": "x"})
    secret = ring.new_secret(session, seconds=60)
    assert secret.expires_at == 1060
    granted = ring.admit(secret.value)
    assert granted is not None
    assert granted.session == session
    now[0] = 1061.0
    assert ring.admit(secret.value) is None


@pytest.mark.parametrize(
    ("origin", "settings", "allowed"),
    [
        (None, {}, True),
        ("http://localhost:8080", {}, True),
        ("http://localhost:9999", {}, False),
        ("http://evil.example", {}, False),
        ("null", {}, False),
        ("http://evil.example", {"allowed_origins": ["*"]}, True),
        ("https://app.example", {"allowed_origins": ["https://app.example"]}, True),
        ("https://app.example.evil", {"allowed_origins": ["https://app.example"]}, False),
    ],
)
def test_origin(origin: str | None, settings: dict[str, Any], allowed: bool) -> None:
    headers = {"host": "localhost:8080"} | ({"origin": origin} if origin else {})
    assert is_origin_allowed(Headers(headers), ServerSettings(**settings)) is allowed


@pytest.mark.parametrize(("host", "allowed"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_foreign_name_for_this_machine(host: str, allowed: bool) -> None:
    """A name that somebody points at 127.0.0.1 makes any page the server's own origin."""
    headers = Headers({"host": "rebound.example", "origin": "http://rebound.example"})
    assert (
        is_origin_allowed(headers, ServerSettings(host=host, api_keys=(SecretStr("a-long-key"),)))
        is allowed
    )
