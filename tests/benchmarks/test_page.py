"""Our figures in the README come from result files and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.goals import Goal, cell, read_goals
from benchmarks.machine import header
from benchmarks.page import FOLDER, main
from benchmarks.results import summarise
from benchmarks.scene import read_scenes


def page(tmp_path: Path, results: dict[str, Any]) -> str:
    (tmp_path / "results").mkdir(exist_ok=True)
    for name, report in results.items():
        (tmp_path / "results" / name).write_text(json.dumps(report))
    (tmp_path / "README.md").write_text((FOLDER / "README.md").read_text(encoding="utf-8"))
    main(tmp_path)
    return (tmp_path / "README.md").read_text(encoding="utf-8")


def test_without_results_there_are_no_figures(tmp_path: Path) -> None:
    text = page(tmp_path, {})
    assert "Not measured yet." in text
    assert "GPT-Realtime | .010" in text


def scene(outcomes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return summarise(outcomes) | {"origin": header(split="dev"), "reasons": {}} | more


def test_results_stand_beside_their_goals_with_their_origin(tmp_path: Path) -> None:
    turns = [{"answered": True, "takeover": True, "response": 0.2}] * 120
    echoes = [{"self_interruption": False}] * 198 + [{"self_interruption": True}] * 2
    accounts = {
        "sessions": 200, "segments": 230, "reasons": {"echo": 230}, "unbalanced": ["sess_a"],
        "replayed_otherwise": [], "speculations": {"dropped": 3},
    }  # fmt: skip
    scenes = {
        "turn-taking": scene(turns),
        "echo": scene(echoes, accounts=accounts),
        "pause": {"skipped": "no recordings", "origin": header(split="dev")},
        "resume": scene([{"bit_equal_outside_the_duck": True}], driver={"worst_ms": 900.0}),
    }
    text = page(tmp_path, {"duplex-4.json": {"sessions": 4, "scenes": scenes}})
    assert "| answered, people's orders | at least 99 % | 100 % (120 of 120;" in text
    assert "| response latency p50, people's orders | at most 250 ms | 200 ms (n 120;" in text
    assert "| self-interruption by echo, of 200 loops | at most 0 % | **1 %** (2 of 200;" in text
    assert "| barge-in stop p50 | at most 400 ms | not measured |" in text
    assert "| 4 | - | - | - | 1.000 (n 120) |" in text
    assert "| bit-equal outside the duck | at least 100 % | spoiled: the driver was late |" in text
    assert "Not played with these weights: backchannel-over-answer," in text
    assert "230 segments in 200 sessions" in text
    assert "not exactly one reason: 1" in text
    assert header()["machine"]["processor"] in text
    assert "Not measured yet." not in text
    main(tmp_path)  # written twice it stays the same
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    details = (tmp_path / "results" / "README.md").read_text(encoding="utf-8")
    assert "| response | 120 | 200 ms |" in details
    assert "skipped: no recordings" in details
    assert "segments by reason: 230 echo" in details


def test_long_runs_stand_in_the_page(tmp_path: Path) -> None:
    level = {"sessions": 1, "response": {"count": 9, "p50_ms": 200.0}, "p95_ms": 250.0}
    soak = {
        "minutes": 30,
        "seconds": 1620.0,
        "breaks": [{"at": 1000.0, "reason": "the server hung up"}],
        "turns": 200,
        "unanswered_turns": [],
        "metrics": {"antiphon_stalled_turns_total": 0.0},
        "memory_growth_mib": {
            "per_hour": 0.5,
            "interval": [-0.1, 1.1],
            "first": 300.0,
            "last": 300.2,
        },
        "delay_growth_s": None,
    }
    capacity = {"capacity": 1, "budget_ms": 300.0, "levels": [level]}
    text = page(tmp_path, {"capacity.json": header() | capacity, "soak.json": header() | soak})
    assert "| 1 | 9 | 200 ms | 250 ms |" in text
    assert "1 conversations within 300 ms at the 95th percentile, 1 in the median" in text
    assert "+0.50 MiB an hour (-0.10 to +1.10)" in text
    assert "27.0 minutes talked; the line broke 1 times; the server hung up" in text


def test_stuck_instances_stand_beside_obedient_ones(tmp_path: Path) -> None:
    times = {"p50_ms": 350.0, "p90_ms": 400.0}
    found = {
        "over_an_answer": 9,
        "answered": {"hits": 8},
        "stop": times,
        "response": {"p50_ms": None},
    }
    runs = {name: {"first": found} for name in ("obedient", "stuck")}
    text = page(tmp_path, {"swap.json": header() | {"stuck_seconds": 5.0} | runs})
    assert "| stuck | first | 9 | 8 | 350 ms | 400 ms | - | - |" in text


def test_goals_that_are_written_wrongly_are_refused(tmp_path: Path) -> None:
    assert len({goal.what for goal in read_goals()}) == len(read_goals()) > 20
    names = {one.name for one in read_scenes()}
    assert {goal.scene for goal in read_goals()} <= names
    path = tmp_path / "goals.toml"
    path.write_text('[[goal]]\nwhat = "x"\nscene = "echo"\nfigure = "y"\nleast = 1\nmost = 2')
    with pytest.raises(ValueError, match="either least or most"):
        read_goals(path)


def test_a_percentile_that_too_few_trials_carry_is_not_shown() -> None:
    goal = Goal("x", "turn-taking", "response", "p95_ms", most=300)
    few = summarise([{"response": 0.2}] * 20)["figures"]["response"]
    assert cell(goal, few) == "too few trials (20)"
