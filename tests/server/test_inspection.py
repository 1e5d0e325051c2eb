"""`antiphon inspect` and `antiphon convert`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.__main__ import app
from tests.models.vita.released_folder import write_released


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("models") / "VITA-1.5")


def test_a_folder_is_shown_and_converted(released: Path, tmp_path: Path) -> None:
    runner, target = CliRunner(), tmp_path / "clean"
    shown = runner.invoke(app, ["inspect", str(released)])
    assert shown.exit_code == 0
    assert "language" in shown.output
    assert "research" in shown.output
    assert "on a GPU (bfloat16;" in shown.output
    assert "tokens, on each instance:" in shown.output
    shorter = runner.invoke(app, ["inspect", str(released), "--context", "600", "--json"])
    usual = runner.invoke(app, ["inspect", str(released), "--json"])
    needs = [json.loads(run.stdout)["on_gpu"] for run in (usual, shorter)]
    assert [need["context"] for need in needs] == [4_096, 600]
    assert needs[0]["stream"] > needs[1]["stream"]
    assert needs[0]["four_conversations"] > needs[1]["four_conversations"] > needs[1]["weights"]
    made = runner.invoke(app, ["convert", str(released), str(target), "--numbers", "bfloat16"])
    assert made.exit_code == 0
    first, second = (
        json.loads(runner.invoke(app, ["inspect", str(path), "--json"]).stdout)
        for path in (released, target)
    )
    assert second["bytes"] * 2 == first["bytes"]
    assert [part["parameters"] for part in first["parts"]] == [
        part["parameters"] for part in second["parts"]
    ]


def test_damage_is_named_and_fails(released: Path, tmp_path: Path) -> None:
    folder = write_released(tmp_path / "damaged")
    (folder / "model-00001-of-00002.safetensors").unlink()
    shown = CliRunner().invoke(app, ["inspect", str(folder)])
    assert shown.exit_code == 1
    assert "missing files" in shown.stderr
