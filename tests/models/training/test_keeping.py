"""A stage that was kept and restored is the stage, to half precision."""

from __future__ import annotations

from pathlib import Path

import torch

from models.training.keeping import keep, restore


def test_a_run_comes_back(tmp_path: Path) -> None:
    run, kept, again = tmp_path / "run", tmp_path / "kept", tmp_path / "again"
    run.mkdir()
    weights = {"a": torch.linspace(-1, 1, 7), "steps": torch.tensor([3])}
    torch.save({"config": '{"x": 1}', "weights": weights}, run / "listening.pt")
    torch.save(weights, run / "codec.pt")
    assert [path.name for path in keep(run, kept)] == ["listening.safetensors", "codec.safetensors"]
    assert [path.name for path in restore(kept, again)] == ["listening.pt", "codec.pt"]
    listening = torch.load(again / "listening.pt", weights_only=True)
    assert listening["config"] == '{"x": 1}'
    torch.testing.assert_close(listening["weights"]["a"], weights["a"], atol=1e-3, rtol=0)
    codec = torch.load(again / "codec.pt", weights_only=True)
    assert torch.equal(codec["steps"], weights["steps"])
