"""Where the time went, from a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stages import plot_stages, stages_in, summary
from duplex import actions, events
from duplex.trace import Record
from models.base import AnswerOptions, AnswerTimes


def records() -> list[Record]:
    times = AnswerTimes(0.09, 0.06, 0.08, 0.12)
    return [
        Record(1.00, "event", events.VoiceMeasured(0.96, 1.0, 0.9)),
        Record(1.10, "event", events.VoiceMeasured(1.06, 1.1, 0.1)),
        Record(1.17, "action", actions.StartAnswer(1, AnswerOptions(), speculative=True)),
        Record(1.18, "action", actions.SpeechStopped("item", 1.0)),
        Record(1.30, "action", actions.SendAudio(1, 0, 480, False)),
        Record(1.30, "action", actions.ShowAnswerTimes(1, times)),
        Record(2.00, "action", actions.ShowAnswerTimes(2, times)),  # no question before it
    ]


def test_the_stages_of_an_answer_add_up_to_its_latency(tmp_path: Path) -> None:
    (found,) = stages_in(records())
    assert found.until_asked == pytest.approx(0.17)
    assert found.first_token == pytest.approx(0.06)
    assert found.first_clause == pytest.approx(0.02)
    assert found.first_sound == pytest.approx(0.04)
    assert found.held_back == pytest.approx(0.01)
    assert found.total == pytest.approx(0.30)
    assert summary([found])["total"]["p50_ms"] == pytest.approx(300)
    plot_stages([found], tmp_path / "stages.png", "one answer")
    assert (tmp_path / "stages.png").stat().st_size > 1000
