"""What is a setting in the environment, what Kubernetes puts there, and what is a mistake."""

from __future__ import annotations

import pytest

from server.config import ConfigurationError, load_settings
from server.environment import service_links

LINKS = {
    "ANTIPHON_PORT": "tcp://10.0.0.1:8080",
    "ANTIPHON_SERVICE_HOST": "10.0.0.1",
    "ANTIPHON_SERVICE_PORT": "8080",
    "ANTIPHON_SERVICE_PORT_HTTP": "8080",
    "ANTIPHON_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "ANTIPHON_PORT_8080_TCP_PROTO": "tcp",
    "ANTIPHON_PORT_8080_TCP_ADDR": "10.0.0.1",
    "ANTIPHON_REDIS_PORT": "tcp://10.0.0.2:6379",
    "ANTIPHON_REDIS_SERVICE_HOST": "10.0.0.2",
    "ANTIPHON_REDIS_PORT_6379_TCP_PORT": "6379",
}


def set_all(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        patch.setenv(name, value)


def test_service_links_are_ignored_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, LINKS)
    assert load_settings().port == 8080
    assert service_links(LINKS | {"ANTIPHON_LOG_LEVEL": "info"}) == sorted(LINKS)


def test_a_port_is_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"ANTIPHON_PORT": "9000"})
    assert load_settings().port == 9000


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ANTIPHON_API_KEY", "ANTIPHON_API_KEYS"),
        ("ANTIPHON_APIKEYS", "ANTIPHON_API_KEYS"),
        ("ANTIPHON_LIMITS_IDLE", "ANTIPHON_LIMITS__IDLE"),
        ("ANTIPHON_BUDGET__ITEM", "ANTIPHON_BUDGET__ITEMS"),
        ("antiphon_api_kyes", "ANTIPHON_API_KEYS"),
        ("ANTIPHON_XYZZY", "serve --help"),
    ],
)
def test_a_typo_ends_the_start(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setenv(name, "a-secret-value")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert name in caught.value.faults[0] and meant in caught.value.faults[0]
    assert "a-secret-value" not in "".join(caught.value.faults)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "antiphon.example"])
def test_an_address_beyond_this_machine_needs_keys_or_a_flag(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"ANTIPHON_API_KEYS.*--without-keys"):
        load_settings(flags={"host": host})
    assert not load_settings(flags={"host": host, "without_keys": True}).is_local
    assert load_settings(flags={"host": host, "api_keys": "a-long-key"}).api_keys


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.255.0.1", "::1", "localhost"])
def test_this_machine_alone_needs_none(host: str) -> None:
    assert load_settings(flags={"host": host}).is_local
