"""Training on a GPU machine: both stages in their share of the time, their weights packed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu_training
from benchmarks.packing import unpack
from models.training.instruction import batches
from models.training.options import BATCH
from models.training.sequences import Sequence


def test_both_stages_run_and_their_weights_are_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = tmp_path / "runs", dict[str, dict[str, Any]]()
    run.mkdir()
    (run / "corpus.f16").write_bytes(b"material stays there")

    def stage(name: str) -> Callable[..., None]:
        def train(minutes: float, **options: Any) -> None:
            asked[name] = {"minutes": minutes, **options}
            (run / f"{name}.pt").write_bytes(name.encode())

        return train

    monkeypatch.setattr(gpu_training, "instruct", stage("instruction"))
    monkeypatch.setattr(gpu_training, "listen", stage("listening"))
    gpu_training.command(run, tmp_path / "back", minutes=10, batch=22_400, begin="kept")
    assert asked["instruction"]["minutes"] + asked["listening"]["minutes"] == 10
    assert asked["instruction"]["begin"] == asked["listening"]["ears"] == "kept"
    assert {options["batch"] for options in asked.values()} == {22_400}
    unpack(tmp_path / "back", tmp_path / "home")
    names = {path.name for path in (tmp_path / "home" / "runs").iterdir()}
    assert names == {"instruction.pt", "listening.pt", gpu_training.REPORT}
    report = json.loads(
        (tmp_path / "home" / "runs" / gpu_training.REPORT).read_text(encoding="utf-8")
    )
    assert report["batch"] == 22_400 and report["listen_s"] >= 0


@pytest.mark.parametrize("tokens", [BATCH, 4 * BATCH])
def test_a_batch_is_as_large_as_it_may_be(tokens: int) -> None:
    def source() -> Sequence:
        return Sequence([1] * 100, [0] * 100)

    drawn = batches(source, tokens, seed=1)
    largest = max(len(next(drawn)) for _ in range(10))
    assert largest == tokens // 100
