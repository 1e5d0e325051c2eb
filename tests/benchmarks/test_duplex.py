"""The harness through a real server with the scripted engine: one trial of each kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.driver import CallerLine
from benchmarks.gate import SCENES
from benchmarks.material import Material
from benchmarks.results import table
from benchmarks.results_io import merge, read_trials
from benchmarks.scene import BenchmarkScene, build, read_scenes
from benchmarks.scene_runner import measure, settle
from models.vad import SileroDetector, SileroModel
from server.config import ServerSettings
from server.evaluation.system import serving
from server.service import Engine
from tests.engine_script import NOISE, QUERY, EngineScript, ScriptedAnswer
from tests.scripted_engine import ScriptedInstance

ANSWER = ScriptedAnswer(text=" ".join(f"word{number}" for number in range(20)))


def engine(verdict: Any) -> Engine:
    script = EngineScript(verdict=verdict, answers=(ANSWER,))
    silero = SileroModel()
    pair = (ScriptedInstance(script, name="a"), ScriptedInstance(script, name="b"))
    return Engine((pair,), lambda: SileroDetector(silero))


def scene(name: str, **changes: Any) -> BenchmarkScene:
    found = next(scene for scene in read_scenes(SCENES) if scene.name == name)
    return dataclasses.replace(found, **changes)


async def played(
    chosen: BenchmarkScene, verdict: Any, count: int = 1, traces: Path | None = None
) -> dict[str, Any]:
    trials = build(chosen, Material(None, "dev"), limit=count)
    settings = ServerSettings(trace_directory=traces)
    async with serving(settings, engine(verdict)) as url:
        with Progress(console=Console(quiet=True)) as progress:
            return await measure(
                CallerLine(url), trials, progress, title=chosen.name, sessions=count
            )


async def test_an_interruption_is_played_scored_and_written(tmp_path: Path) -> None:
    result = await played(scene("interruption"), lambda _: QUERY, traces=tmp_path / "traces")
    figures = result["figures"]
    assert result["failed_calls"] == []
    assert figures["missed"]["hits"] == 0
    assert figures["answered"]["hits"] == 1
    assert 0 < figures["stop"]["p50_ms"] < 3000
    settle(result, tmp_path / "traces")
    accounts = result["accounts"]
    assert accounts["sessions"] == accounts["segments"] == 1
    assert accounts["pending_at_hang_up"] == 0  # the hang-up decides the second answer
    assert accounts["unbalanced"] == accounts["replayed_otherwise"] == []
    scenes = {"interruption": result, "other": {"skipped": "no data"}}
    path = tmp_path / "duplex-1.json"
    merge(path, 1, {"commit": "a"}, scenes)
    merge(path, 1, {"commit": "b"}, {"other": {"skipped": "no data"}})
    kept = json.loads(path.read_text(encoding="utf-8"))["scenes"]
    assert kept["interruption"]["trials"] == 1
    assert [kept[name]["origin"]["commit"] for name in ("interruption", "other")] == ["a", "b"]
    (trial,) = read_trials(tmp_path / "duplex-1-trials.jsonl")
    assert trial["scene"] == "interruption"
    assert (tmp_path / "duplex-1-stop.png").is_file()
    assert (tmp_path / "duplex-1-rates.png").is_file()
    assert table(scenes).row_count == len(figures) + 1


async def test_a_cough_leaves_every_sample_as_it_was() -> None:
    coughs = scene("sounds-over-answer", score="resume")
    result = await played(coughs, lambda _: NOISE)
    assert result["trials"] == 1
    outcome = result["outcomes"][0]
    assert outcome["bit_equal_outside_the_duck"] is True, outcome


async def test_the_history_holds_what_was_heard_whatever_the_client_says() -> None:
    cuts = scene("heard-history")
    behaviour = set(cuts.behaviour)
    result = await played(cuts, lambda _: QUERY, count=3)
    assert result["trials"] == 3
    assert result["figures"]["was_cut"]["hits"] == 3
    assert set(result["groups"]) == behaviour
    for outcome in result["outcomes"]:
        assert outcome["within_one_word"] is True, outcome
