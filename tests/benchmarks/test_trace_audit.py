"""Every segment has exactly one reason, and a trace that says otherwise is found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.trace_audit import account, balance
from duplex import actions
from duplex.trace import Record, TraceWriter
from models.base import AnswerOptions

START = actions.StartAnswer(1, AnswerOptions(), speculative=True, segment=1)
SWAP = actions.StartAnswer(2, AnswerOptions(), segment=2)


def decided(segment: int, reason: actions.Reason = actions.Reason.IGNORED_NOISE) -> actions.Decide:
    return actions.Decide(segment, reason, 0.1, 0.5, None)


def begun(segment: int) -> actions.BeginHearing:
    return actions.BeginHearing(segment, 0.0)


def ended(segment: int, item_id: str | None = None) -> actions.EndHearing:
    return actions.EndHearing(segment, 1.0, item_id)


def trace(*actions: Any) -> list[Record]:
    return [Record(index * 0.1, "action", action) for index, action in enumerate(actions)]


@pytest.mark.parametrize(
    ("actions", "balanced", "pending"),
    [
        ([begun(1), ended(1), decided(1)], True, 0),
        ([decided(1, actions.Reason.ECHO)], True, 0),
        ([begun(1)], True, 1),  # hung up on while the user spoke
        # while it answered
        ([begun(1), START, ended(1, "item"), actions.ConfirmAnswer(1)], True, 1),
        ([begun(1), ended(1, "item")], True, 1),  # while the turn waited for the floor
        ([begun(1), ended(1)], False, 0),  # forgotten
        ([begun(1), ended(1), decided(1), decided(1)], False, 0),
        (
            [
                begun(1), START, ended(1, "item"), actions.ConfirmAnswer(1),
                actions.ResponseEnded(1, actions.ResponseStatus.COMPLETED),
            ],
            False,
            0,
        ),
    ],
)  # fmt: skip
def test_account(actions: list[Any], balanced: bool, pending: int) -> None:
    found = account(trace(*actions))
    assert found.is_balanced is balanced
    assert len(found.pending) == pending


def test_balance_over_sessions(tmp_path: Path) -> None:
    traces = {
        "good": trace(begun(1), START, actions.CancelAnswer(1, rewind=True), ended(1), decided(1)),
        "bad": trace(begun(1), ended(1), begun(2), SWAP),
    }
    for name, records in traces.items():
        with (tmp_path / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            writer = TraceWriter(file)
            for record in records:
                writer.record(record)
    found = balance(tmp_path, ["sess_good", "sess_bad", "sess_elsewhere"])
    assert found["sessions"] == 2
    assert found["segments"] == 3
    assert found["reasons"] == {"ignored-noise": 1}
    assert found["speculations"] == {"dropped": 1}
    assert found["unbalanced"] == ["sess_bad"]
