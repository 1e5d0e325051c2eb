"""tests: which transcriber a setting means, and what is said where a language cannot be heard."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from models.base import InstanceFailed
from models.moonshine import MoonshineUnavailable
from models.transcribers import choice as choosing
from models.transcribers.choice import open_transcriber
from models.transcribers.endpoint import EndpointTranscriber


class Known:
    """Stands for Moonshine, so that nothing is loaded."""

    def transcribe(self, samples: object) -> str:
        return ""


@pytest.fixture
def is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "load", Known)


@pytest.fixture
def is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise MoonshineUnavailable("the wheel is not installed")

    monkeypatch.setattr(choosing, "load", refuse)


@pytest.mark.usefixtures("is_installed")
@pytest.mark.parametrize("choice", ["auto", "moonshine"])
def test_moonshine_hears_english_and_nothing_is_said(
    choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(open_transcriber(choice), Known)
    assert caplog.records == []


@pytest.mark.usefixtures("is_installed")
@pytest.mark.parametrize("choice", ["auto", "nano"])
@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "the language 'fr' cannot be heard"), ("zh", "syllables without tones")],
)
def test_at_the_start_is_said_that_a_language_cannot_be_heard(
    choice: str, language: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert open_transcriber(choice, language) is None
    assert said in caplog.text
    assert "set cascade.transcriber" in caplog.text


@pytest.mark.usefixtures("is_installed")
def test_moonshine_for_another_language_is_refused() -> None:
    with pytest.raises(InstanceFailed, match="English only, not 'zh'"):
        open_transcriber("moonshine", "zh")


@pytest.mark.usefixtures("is_missing")
def test_where_moonshine_is_missing_nano_spells_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert open_transcriber("auto") is None
    assert "the wheel is not installed" in caplog.text and "letter by letter" in caplog.text
    with pytest.raises(InstanceFailed, match="not installed"):
        open_transcriber("moonshine")


def test_an_address_and_nonsense(tmp_path: Path) -> None:
    assert isinstance(open_transcriber("http://127.0.0.1:9/v1", "fr"), EndpointTranscriber)
    with pytest.raises(ValueError, match="not 'loud'"):
        open_transcriber("loud")
