"""The GPU benchmark at tiny size on the CPU: it runs, and its figures hang together."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console

from benchmarks.gpu import GOALS, measure, reached, show


@pytest.mark.timeout(300)  # its sessions talk at playing speed
async def test_it_runs_at_tiny_size() -> None:
    torch.set_num_threads(1)
    found = await measure("tiny", "cpu", trials=2, most=1)
    memory = found["memory"]
    assert memory["weights"] > 100_000
    assert memory["second_instance_adds"] == 0
    answer = found["answer"]
    assert answer["verdict"]["count"] == answer["first_sound"]["count"] == 2
    assert 0 < answer["verdict"]["p50_ms"] < answer["first_text"]["p50_ms"]
    assert answer["first_text"]["p50_ms"] < answer["first_sound"]["p50_ms"]
    assert answer["speech_real_time_factor"] > 0
    assert found["inter_token"]["alone"]["count"] > 50
    assert found["capacity"][0]["turns"] == 2
    assert reached(found).keys() == GOALS.keys()
    console = Console(record=True, width=100)
    show(found | {"size": "tiny", "device": "cpu", "note": "no GPU"}, console)
    assert "no GPU" in console.export_text()
