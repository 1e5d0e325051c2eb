"""The GPU trial at tiny size on the CPU: every stage runs, and none can spoil the others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks import gpu_cards, gpu_trial
from benchmarks.gpu_stages import STAGES, Found, Keep, Setting, Stage
from benchmarks.gpu_trial import PICTURE, RESULT, GpuTrial, description, measure
from models.vita.footprint import footprint


def trial_in(folder: Path, seconds: float = 200) -> GpuTrial:
    return GpuTrial(folder, seconds, Console(quiet=True))


def read(folder: Path) -> Found:
    found: Found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return found


@pytest.mark.timeout(300)  # its sessions talk at playing speed
async def test_every_stage_runs_at_tiny_size(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    trial = trial_in(tmp_path)
    trial.keep("run", description("tiny", cuda=False))
    await measure(trial, Setting("tiny", "cpu", trials=2, sessions=1))
    trial.draw()
    found = read(tmp_path)
    assert [name for name in found if name not in ("run", "seconds")] == [s.name for s in STAGES]
    failed = {name: value for name, value in found.items() if "failed" in str(value)}
    assert not failed
    assert "figures are missing" in found["run"]["note"]
    assert (tmp_path / PICTURE).stat().st_size > 5_000

    memory, answer = found["memory"], found["answer"]
    assert memory["weights"] > 100_000
    assert memory["second_instance_adds"] > 0  # its voices: on the CPU no cache is prepared
    assert answer["verdict"]["count"] == answer["first_sound"]["count"] == 2
    assert 0 < answer["verdict"]["p50_ms"] < answer["first_text"]["p50_ms"]
    assert answer["first_text"]["p50_ms"] < answer["first_sound"]["p50_ms"]
    assert answer["speech_real_time_factor"] > 0
    gaps = found["between_tokens"]
    assert gaps["alone"]["count"] > 50
    assert gaps["monitored"]["worst_ms"] >= gaps["monitored"]["p50_ms"]
    assert found["capacity"]["curve"][0]["turns"] == 1
    assert found["long_context"]["tokens"] > 1_000
    assert found["nano"]["verdict"]["count"] == 1
    assert "captured" in found["two_threads"]["said"]
    assert found["gpu_tests"]["skipped"] == found["new_shapes"]["skipped"] == "no GPU"


def test_the_table_of_cards_is_calculated() -> None:
    """The documents say what the sizes of the model say."""
    document = (gpu_cards.ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    readme = (gpu_cards.ROOT / "README.md").read_text(encoding="utf-8")
    for each in (document, readme):
        assert gpu_cards.table() in each
    need = footprint(gpu_cards.released_config(), 4_096)
    assert f"Weights take {need.weights / 1e9:.1f} GB" in document
    assert f"takes {(need.stream + need.voice) / 1e9:.2f} GB of cache and voice" in document


async def fails(_: Setting, keep: Keep) -> Found:
    keep({"so far": 1})
    raise ValueError("broken on purpose")


async def hangs(_: Setting, keep: Keep) -> Found:
    await asyncio.Event().wait()
    return {}


async def works(setting: Setting, _: Keep) -> Found:
    return {"device": setting.device}


async def test_a_stage_that_fails_or_hangs_is_recorded_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = (
        Stage("fails", 5, fails),
        Stage("hangs", 0.05, hangs, least=0),
        Stage("works", 5, works),
    )
    monkeypatch.setattr(gpu_trial, "STAGES", stages)
    seen = list[Found]()
    keep = GpuTrial.keep

    def noted(trial: GpuTrial, name: str, value: Found) -> None:
        keep(trial, name, value)
        seen.append(read(tmp_path))  # written behind every stage, not at the end

    monkeypatch.setattr(GpuTrial, "keep", noted)
    await measure(trial_in(tmp_path), Setting("tiny", "cpu", 1, 1))
    found = read(tmp_path)
    assert found["fails"]["so far"] == 1
    assert "broken on purpose" in found["fails"]["failed"]
    assert "not done within" in found["hangs"]["failed"]
    assert found["works"]["device"] == "cpu"
    assert [set(each) & {"hangs", "works"} for each in seen][-3:] == [
        set(), {"hangs"}, {"hangs", "works"}
    ]  # fmt: skip


async def test_what_there_is_no_time_for_is_left_out(tmp_path: Path) -> None:
    await measure(trial_in(tmp_path, seconds=6), Setting("tiny", "cpu", 1, 1), ("memory",))
    assert read(tmp_path)["memory"]["skipped"].endswith("s are left")
