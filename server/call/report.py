"""The caller's room: a call's latencies as a table for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from server.call.latency import MeasuredTurn, turns
from server.call.record import CallRecord, Happening

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
        "stages": stages(record),
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
        answer = "answered" if turn.answered else "no answer"
        view.add_row(turn.name, *figures, ", ".join(turn.decisions) or "-", answer)
    return view


_USER = "conversation.item.input_audio_transcription.completed"


def said(happening: Happening) -> list[Text]:
    """The line of a dialogue that one event stands for, if it holds somebody's words."""
    if happening.type == _USER:
        return [_line("you", str(happening.event.get("transcript", "")))]
    if happening.type == "response.output_audio_transcript.done":
        return [_line("assistant", str(happening.event.get("transcript", "")))]
    return []


def dialogue(record: CallRecord) -> list[Text]:
    """What both sides said, whole and in order; what was cut says after how long."""
    lines = [(one.now, line) for one in record.events(_USER) for line in said(one)]
    for answer in record.answers:
        note = f" (cut after {answer.seconds_played:.1f} s)" if answer.cut else ""
        if answer.transcript:
            lines.append((answer.created, _line("assistant", answer.transcript, note)))
    return [line for _, line in sorted(lines, key=lambda one: one[0])]


def _line(who: str, words: str, note: str = "") -> Text:
    text = " ".join(words.split())
    return Text.assemble((f"{who:>9}  ", "bold"), text, (note, "dim"))


def stages(record: CallRecord) -> list[dict[str, float]]:
    """Where the time went before each answer's first sound, milliseconds, as the server says."""
    return [
        {name: value for name, value in happening.event.items() if name.endswith("_ms")}
        for happening in record.events("antiphon.times")
    ]


def stage_lines(record: CallRecord) -> list[str]:
    """The same in words, one line for each answer."""
    return [
        f"where the time went: last words written down in {each['transcript_ms']:.0f} ms; asked, "
        f"first token after {each['first_token_ms']:.0f}, first clause "
        f"{each['first_clause_ms']:.0f}, first sound {each['first_sound_ms']:.0f} ms"
        for each in stages(record)
    ]


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
        found.append(
            f"the answer had {record.underruns} gaps, {gaps:.0f} ms in all: its sound came later "
            "than it was to be played, because the server or the network is slow"
        )
    return found + record.errors


def _cell(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"
