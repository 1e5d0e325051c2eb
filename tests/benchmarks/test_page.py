"""Our figures in the README come from result files and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import header
from benchmarks.page import FOLDER, main
from benchmarks.results import summarise


def page(tmp_path: Path, results: dict[str, Any]) -> str:
    (tmp_path / "results").mkdir(exist_ok=True)
    for name, report in results.items():
        (tmp_path / "results" / name).write_text(json.dumps(header() | report))
    (tmp_path / "README.md").write_text((FOLDER / "README.md").read_text())
    main(tmp_path)
    return (tmp_path / "README.md").read_text()


def test_without_results_there_are_no_figures(tmp_path: Path) -> None:
    text = page(tmp_path, {})
    assert "Not measured yet." in text
    assert "GPT-Realtime | .010" in text


def test_results_stand_in_the_page_with_their_origin(tmp_path: Path) -> None:
    outcomes = [{"answered": True, "response": 0.2}] * 120
    scenes = {"turn-taking": summarise(outcomes), "echo": {"skipped": "no recordings"}}
    level = {"sessions": 1, "response": {"count": 9, "p50_ms": 200.0}, "p95_ms": 250.0}
    soak = {
        "minutes": 30,
        "turns": 200,
        "unanswered_turns": [],
        "metrics": {"antiphon_stalled_turns_total": 0.0},
        "memory_growth_mib": {"per_hour": 0.5, "first": 300.0, "last": 300.2},
        "delay_growth_s": None,
    }
    text = page(
        tmp_path,
        {
            "duplex-1.json": {"sessions": 1, "split": "dev", "scenes": scenes},
            "capacity.json": {"capacity": 1, "budget_ms": 300.0, "levels": [level]},
            "soak.json": soak,
        },
    )
    assert "| turn-taking | answered | 120 | 100.0 % |" in text
    assert "| turn-taking | response | 120 | 200 ms |" in text
    assert "skipped: no recordings" in text
    assert "| 1 | 9 | 200 ms | 250 ms |" in text
    assert "+0.50 MiB an hour" in text
    assert header()["machine"]["processor"] in text
    assert "Not measured yet." not in text
    main(tmp_path)  # written twice it stays the same
    assert (tmp_path / "README.md").read_text() == text
