"""tests: a faster-whisper folder, with a stand-in for the package (its models are large)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.base import InstanceFailed
from models.transcribers.choice import open_transcriber
from models.transcribers.whisper import WhisperTranscriber


class Model:
    """What is used of faster_whisper.WhisperModel."""

    supported_languages = ("en", "de")
    asked: dict[str, Any] = {}  # noqa: RUF012 (of the class: the code under test makes the model)

    def __init__(self, folder: str, **_: Any) -> None:
        if folder.endswith("broken"):
            raise RuntimeError("model.bin is missing")

    def transcribe(self, samples: Any, **asked: Any) -> tuple[Any, None]:
        Model.asked = {"samples": len(samples), **asked}
        return iter([SimpleNamespace(text=" Guten "), SimpleNamespace(text="Tag.")]), None


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ModuleType("faster_whisper")
    made.WhisperModel = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", made)


def test_a_folder_is_heard_with_in_its_language(tmp_path: Path) -> None:
    transcriber = open_transcriber(str(tmp_path), "de")
    assert isinstance(transcriber, WhisperTranscriber)
    assert transcriber.transcribe(np.zeros(16_000, np.float32)) == "Guten Tag."
    assert (Model.asked["samples"], Model.asked["language"]) == (16_000, "de")
    assert Model.asked["condition_on_previous_text"] is False  # a segment knows no other


def test_a_language_that_the_model_does_not_know_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InstanceFailed, match="does not know the language 'zh'"):
        WhisperTranscriber(tmp_path, "zh")


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstanceFailed, match=r"model\.bin is missing"):
        WhisperTranscriber(tmp_path / "broken")


def test_without_the_package_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(InstanceFailed, match=r"antiphon\[whisper\]"):
        WhisperTranscriber(tmp_path)
