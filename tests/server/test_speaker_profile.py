"""Whose voice it is can be switched off: by the operator for all, by a client for its session."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.speaker import encoder
from server.app import load_speaker_encoder
from server.config import load_settings
from server.realtime.session_config import SessionConfig


def test_the_operator_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_speaker_encoder(load_settings()) is not None
    monkeypatch.setenv("ANTIPHON_SPEAKER_PROFILE", "false")
    assert load_speaker_encoder(load_settings()) is None


def test_without_its_weights_the_server_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(encoder.SpeakerModel.__init__, "__defaults__", (tmp_path / "x.onnx", None))
    assert load_speaker_encoder(load_settings()) is None
    assert "other voices are taken for the user's" in caplog.text


def test_a_client_switches_it_off_and_on() -> None:
    config = SessionConfig()
    assert config.settings().speaker_profile
    off = config.changed({"antiphon": {"speaker_profile": False}})
    assert not off.settings().speaker_profile
    assert off.changed({"antiphon": {"speaker_profile": None}}).settings().speaker_profile
