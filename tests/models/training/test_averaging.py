"""The mean of two runs' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.training.averaging import average


def write(path: Path, value: float, **changed: Any) -> Path:
    weights = {"a": torch.full((2, 3), value), "count": torch.tensor(int(value))}
    torch.save({"config": {"width": 3}, "weights": weights} | changed, path)
    return path


def test_weights_are_averaged_and_counts_kept(tmp_path: Path) -> None:
    runs = [write(tmp_path / "one.pt", 1.0), write(tmp_path / "two.pt", 4.0)]
    average(runs, tmp_path / "mean.pt")
    made = torch.load(tmp_path / "mean.pt", weights_only=True)
    assert made["weights"]["a"].tolist() == [[2.5] * 3] * 2
    assert int(made["weights"]["count"]) == 1 and made["config"] == {"width": 3}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"config": {"width": 4}}, "configurations"),
        ({"weights": {"b": torch.zeros(1)}}, "parts"),
    ],
)
def test_different_models_have_no_mean(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    runs = [write(tmp_path / "one.pt", 1.0), write(tmp_path / "two.pt", 1.0, **changed)]
    with pytest.raises(ValueError, match=message):
        average(runs, tmp_path / "mean.pt")


def test_no_run_has_no_mean(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkpoint"):
        average([], tmp_path / "mean.pt")
