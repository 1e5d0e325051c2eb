"""Settings from file, environment and flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from server.config import BUNDLED, ConfigurationError, Limits, load_settings
from server.edge.allowances import Allowances
from server.realtime.budget import BudgetSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "antiphon.toml"
    path.write_text(
        'port = 1000\nhost = "0.0.0.0"\napi_keys = ["from-the-file"]\n[limits]\nidle = 5'
    )
    return path


def test_flags_over_environment_over_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PORT", "2000")
    monkeypatch.setenv("ANTIPHON_LOG_LEVEL", "debug")
    monkeypatch.setenv("ANTIPHON_ALLOWED_ORIGINS", "http://a, http://b")
    monkeypatch.setenv("ANTIPHON_LIMITS__SESSION", "60")
    settings = load_settings(file, {"log_level": "error", "pairs": None})
    assert (settings.host, settings.port, settings.log_level) == ("0.0.0.0", 2000, "error")
    assert settings.allowed_origins == ("http://a", "http://b")
    assert (settings.limits.idle, settings.limits.session) == (5, 60)
    assert [key.get_secret_value() for key in settings.api_keys] == ["from-the-file"]
    assert "from-the-file" not in repr(settings)


def test_file_by_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(file))
    assert load_settings().port == 1000


def test_all_faults_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "antiphon.toml"
    path.write_text("prot = 1\n[limits]\nidle = -1\n[nonsense]\nx = 1")
    monkeypatch.setenv("ANTIPHON_API_KEYS", "secret7")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {"port": 99999, "engine": "magic"})
    fields = {fault.split(":")[0] for fault in caught.value.faults}
    assert fields == {"prot", "limits.idle", "nonsense", "api_keys", "port", "engine"}
    assert "secret7" not in str(caught.value)


@pytest.mark.parametrize("text", ["port = ", None])
def test_unreadable_file(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "antiphon.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match="config: "):
        load_settings(path)


def test_service_links_of_kubernetes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pod is given where a Service in its namespace is called antiphon."""
    monkeypatch.setenv("ANTIPHON_SERVICE_HOST", "10.96.0.7")
    monkeypatch.setenv("ANTIPHON_SERVICE_PORT", "80")
    monkeypatch.setenv("ANTIPHON_SERVICE_PORT_HTTP", "80")
    monkeypatch.setenv("ANTIPHON_PORT", "tcp://10.96.0.7:80")
    monkeypatch.setenv("ANTIPHON_PORT_80_TCP", "tcp://10.96.0.7:80")
    monkeypatch.setenv("ANTIPHON_PORT_80_TCP_ADDR", "10.96.0.7")
    assert load_settings().port == 8080


@pytest.mark.parametrize(
    ("resume", "fault"),
    [
        ({"store": "redis://here"}, "keys"),
        ({"store": "disk"}, "resume.store"),
        ({"seconds": 0}, "resume.seconds"),
        ({"server": "a.b"}, "resume.server"),
    ],
)
def test_resume_settings_that_cannot_be(resume: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(flags={"resume": resume})
    assert fault in str(caught.value)


def test_a_bundled_model_may_be_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(flags={"model": Path("smollm")}).model == BUNDLED["smollm"]
    (tmp_path / "smollm").mkdir()
    assert load_settings(flags={"model": Path("smollm")}).model == Path("smollm")
    assert load_settings(flags={"model": Path("other")}).model == Path("other")


@pytest.mark.parametrize(
    ("section", "settings"),
    [("limits", Limits), ("allowances", Allowances), ("budget", BudgetSettings)],
)
def test_every_bound_is_documented(section: str, settings: type[BaseModel]) -> None:
    text = Path("docs/operations.md").read_text(encoding="utf-8")
    short = text.replace("`.", f"`{section}.")  # the second of two in one cell
    missing = [name for name in settings.model_fields if f"`{section}.{name}`" not in short]
    assert not missing
