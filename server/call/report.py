"""The caller's room: a call's latencies as a table for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from server.call.latency import MeasuredTurn, turns
from server.call.record import CallRecord

_COLUMNS = ("response", "stop", "duck", "interruption")


def summary(record: CallRecord) -> dict[str, Any]:
    """The call as plain data; latencies in milliseconds, null where one does not apply."""
    return {
        "seconds": round(record.seconds, 3),
        "turns": [turn_data(turn) for turn in turns(record)],
        "answers": [
            {
                "response_id": answer.response_id,
                "status": answer.status,
                "reason": answer.reason,
                "transcript": answer.transcript,
                "seconds_played": round(answer.seconds_played, 3),
            }
            for answer in record.answers
        ],
        "driver": {
            "frames": record.lateness.frames,
            "late_frames": record.lateness.late,
            "worst_ms": round(record.lateness.worst * 1000, 1),
        },
        "underruns": record.underruns,
        "underrun_ms": round(record.underrun_seconds * 1000, 1),
        "errors": record.errors,
    }


def turn_data(turn: MeasuredTurn) -> dict[str, Any]:
    """One turn as plain data."""
    return {
        "label": turn.label,
        "clip": turn.name,
        "first_voiced": round(turn.first_voiced, 3),
        "last_voiced": round(turn.last_voiced, 3),
        "over_answer": turn.over_answer,
        "stopped_answer": turn.stopped,
        "answered": turn.answered,
        "response_latency_ms": milliseconds(turn.response),
        "barge_in_stop_ms": milliseconds(turn.stop),
        "duck_ms": milliseconds(turn.duck),
        "interruption_response_ms": milliseconds(turn.interruption),
        "transcript": turn.transcript,
        "decisions": list(turn.decisions),
    }


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def table(record: CallRecord) -> Table:
    """One row for each cue."""
    view = Table(title="latencies, in ms", title_justify="left")
    for name in ("clip", "response", "stop", "duck", "interruption", "decision", "answer"):
        is_figure = name not in ("clip", "decision", "answer")
        view.add_column(name, justify="right" if is_figure else "left", no_wrap=is_figure)
    for turn in turns(record):
        figures = [_cell(getattr(turn, name)) for name in _COLUMNS]
        answer = shortened(turn.transcript) or ("(sound)" if turn.answered else "no answer")
        view.add_row(turn.name, *figures, ", ".join(turn.decisions) or "-", answer)
    return view


def warnings(record: CallRecord) -> list[str]:
    """What makes these figures doubtful."""
    found = []
    if record.lateness.late:
        worst = record.lateness.worst * 1000
        found.append(
            f"{record.lateness.late} of {record.lateness.frames} appends left more than 20 ms "
            f"late (worst {worst:.0f} ms): this machine is too busy to measure on"
        )
    if record.underruns:
        gaps = record.underrun_seconds * 1000
        found.append(f"the answer had {record.underruns} gaps, {gaps:.0f} ms in all")
    return found + record.errors


def shortened(text: str, longest: int = 60) -> str:
    """The beginning of a text, for a table."""
    words = " ".join(text.split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def _cell(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"
