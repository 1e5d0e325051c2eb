"""Finished calls written down by hand, for the tests of the scorers."""

from __future__ import annotations

from typing import Any

import numpy as np

from audio.frame import Samples
from server.call.record import CallRecord, Happening, Lateness, RecordedAnswer
from server.call.script import Cue
from server.call.speaker import Piece
from server.call.timeline import RATE, Placed, TimelineClip
from server.call.voiced import Span


def beep(seconds: float) -> Samples:
    steps = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 200 * steps)).astype(np.float32)


def answer(
    name: str, start: float, end: float, *, cut: bool = False, words: int = 0
) -> RecordedAnswer:
    """An answer that was audible from `start` to `end`; a cut one had a second more to say."""
    sound = beep(end - start)
    piece = Piece(name, f"item_{name}", round(start * RATE), 0, sound, start)
    received = np.concatenate((sound, beep(1.0))) if cut else sound
    return RecordedAnswer(
        response_id=name,
        created=start - 0.01,
        item_id=f"item_{name}",
        status="cancelled" if cut else "completed",
        reason="turn_detected" if cut else None,
        transcript=" ".join("word" for _ in range(words)),
        audible=Span(start, end),
        played=(piece,),
        received=received,
        done=end,
    )


def cue(label: str, start: float, end: float, *, expects: bool = True) -> tuple[Cue, Placed]:
    """A clip whose voice sounds from `start` to `end`."""
    clip = TimelineClip(label, beep(end - start), Span(0.0, end - start))
    return Cue(clip, label=label, expects_answer=expects), Placed(clip, round(start * RATE))


def record(
    cues: list[tuple[Cue, Placed]],
    answers: list[RecordedAnswer],
    *,
    events: list[tuple[float, dict[str, Any]]] | None = None,
    seconds: float = 10.0,
) -> CallRecord:
    return CallRecord(
        cues=tuple(cues),
        answers=tuple(answers),
        happenings=tuple(Happening(at, event) for at, event in events or []),
        seconds=seconds,
        lateness=Lateness(),
        underruns=0,
        underrun_seconds=0.0,
    )
