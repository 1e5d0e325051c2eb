"""tests: which engine a folder is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.engines.choice import engine_for


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        ({"config.json": '{"model_type": "vita-Qwen2"}'}, "pytorch"),
        ({"config.json": '{"model_type": "vita-mixtral"}'}, "pytorch"),
        ({"config.json": '{"model_type": "qwen2_multimodal"}'}, "pytorch"),
        ({"vita.json": "{}"}, "pytorch"),
        ({"config.json": '{"model_type": "antiphon-smollm2"}'}, "smollm"),
        ({"config.json": '{"model": {}, "format": 1}'}, "embedded"),
        ({"config.json": "{"}, "embedded"),
        ({"config.json": "[]"}, "embedded"),
        ({}, "embedded"),
    ],
)
def test_a_folder_says_what_runs_it(files: dict[str, str], engine: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert engine_for(tmp_path) == engine
