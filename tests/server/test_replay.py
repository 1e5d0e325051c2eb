"""Replay: a written trace goes through the core again, tells its story, and betrays a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer import Typer
from typer.testing import CliRunner

from duplex import actions
from duplex.events import AnswerTextMade, SettingsChanged
from duplex.session import Session
from duplex.trace import Record, TraceWriter, read_trace
from models.base import AnswerOptions
from server.replay.command import DIFFERENT, command
from server.replay.rerun import rerun, token_of
from server.replay.story import swap_seconds, tell
from tests.duplex.scene import NOISE, QUERY, Scene


class Recorded:
    """A session that writes down all that goes in and out."""

    def __init__(self, session: Session, writer: TraceWriter) -> None:
        self._session, self._writer = session, writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def handle(self, event: Any, now: float) -> list[actions.Action]:
        return self._keep(Record(now, "event", event), lambda at: self._session.handle(event, at))

    def handle_timer(self, now: float) -> list[actions.Action]:
        return self._keep(Record(now, "timer"), self._session.handle_timer)

    def _keep(self, cause: Record, step: Any) -> list[actions.Action]:
        self._writer.record(cause)
        made: list[actions.Action] = step(round(cause.now, 6))
        for action in made:
            self._writer.record(Record(cause.now, "action", action))
        return made


def converse(path: Path, *, words: bool) -> Path:
    """A question, a cough over its answer, and an interruption, as a trace."""
    with path.open("w", encoding="utf-8") as file:
        scene = Scene()
        scene.session = Recorded(scene.session, TraceWriter(file, words=words))  # type: ignore[assignment]
        scene.handle(SettingsChanged(scene.settings))
        scene.hear(0.5, False)
        scene.ask()
        scene.hear(0.8, False)
        scene.verdict = NOISE
        scene.hear(0.4, True)
        scene.hear(0.8, False)
        scene.verdict = QUERY
        scene.ask()
        scene.hear(4.0, False)
    return path


@pytest.fixture(params=[True, False], ids=["words", "blanked"])
def trace(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return converse(tmp_path / "trace.jsonl", words=request.param)


def test_the_core_does_the_same_again(trace: Path) -> None:
    records = list(read_trace(trace))
    assert token_of(records) == "t"
    assert sum(record.direction == "action" for record in records) > 30
    assert rerun(records) == []


def test_a_trace_of_the_first_version_is_read_and_decides_the_same_again() -> None:
    records = list(read_trace(Path(__file__).parents[1] / "data" / "trace-v1.jsonl"))
    kinds = {type(record.payload) for record in records}
    assert {actions.ReplaceMonitor, actions.CancelAnswer, actions.ConfirmAnswer} <= kinds
    assert rerun(records) == []
    assert tell(records).decisions


def test_a_changed_decision_is_found(trace: Path) -> None:
    lines = [orjson.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    changed = next(line for line in lines if line.get("type") == "Decide")
    changed["reason"] = "failed"
    trace.write_text("\n".join(orjson.dumps(line).decode() for line in lines))
    found = rerun(read_trace(trace))
    assert len(found) == 1
    assert found[0].now == pytest.approx(changed["now"], abs=0.001)
    assert found[0].recorded is not None and found[0].recorded["reason"] == "failed"


def test_the_story_tells_every_segment_and_why(trace: Path) -> None:
    story = tell(read_trace(trace))
    reasons = [decision.reason for _, decision in story.decisions]
    assert reasons.count(actions.Reason.ANSWERED) == 2
    assert actions.Reason.IGNORED_NOISE in reasons
    told = [line for line in story.lines if line.text.startswith("segment ")]
    assert len(told) == len(reasons)
    assert all(line.why for line in told)
    assert "ducks" in " ".join(line.text for line in story.lines)
    for stretches in (story.user, story.assistant):
        edges = [edge for one in stretches for edge in (one.start, one.end)]
        assert edges == sorted(edges)
        assert edges[0] == 0.0 and edges[-1] == pytest.approx(story.seconds)


def test_swaps_are_timed_where_nothing_was_speculated() -> None:
    records = [
        Record(1.0, "action", actions.StartAnswer(1, AnswerOptions(), speculative=True)),
        Record(1.2, "event", AnswerTextMade(1, "a")),
        Record(2.0, "action", actions.StartAnswer(2, AnswerOptions())),
        Record(2.05, "event", AnswerTextMade(2, "b")),
        Record(2.30, "event", AnswerTextMade(2, "c")),
    ]
    assert swap_seconds(records) == [pytest.approx(0.05)]


def test_the_command_draws_and_tells(trace: Path, tmp_path: Path) -> None:
    app = Typer()
    app.command()(command)
    picture = tmp_path / "picture.png"
    result = CliRunner().invoke(app, [str(trace), "--picture", str(picture)])
    assert result.exit_code == 0, result.output
    assert "does the same again" in result.output
    assert "ignored-noise" in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_what_is_no_trace_and_reports_a_difference(trace: Path) -> None:
    app = Typer()
    app.command()(command)
    lines = trace.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if '"type":"BeginHearing"' not in line]
    trace.write_text("\n".join(kept))
    assert CliRunner().invoke(app, [str(trace)]).exit_code == DIFFERENT
    trace.write_text("{}\n")
    result = CliRunner().invoke(app, [str(trace)])
    assert result.exit_code == 1
    assert "trace.jsonl:1" in result.output
