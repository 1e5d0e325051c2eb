"""Where the time went between a question's last voice and its answer's first sound, from traces.

Engines that know it say when the words were written down, and when the first token, the first
clause and the first sound were there; the rest is waiting for the pause, before and behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot

from benchmarks.percentiles import percentile
from duplex import actions, events
from duplex.trace import Record, read_trace
from models.base import AnswerTimes

STAGES = {
    "until_asked": "pause seen and words written",
    "first_token": "first token",
    "first_clause": "first clause",
    "first_sound": "first sound made",
    "held_back": "held back until the pause is sure",
}


@dataclass(frozen=True, slots=True)
class AnswerStages:
    """Seconds of each stage of one answer, one after the other."""

    until_asked: float
    first_token: float
    first_clause: float
    first_sound: float
    held_back: float

    @property
    def total(self) -> float:
        return float(sum(asdict(self).values()))


def stages_in(records: Iterable[Record]) -> Iterator[AnswerStages]:
    """The stages of each answer to speech whose engine told them."""
    arrivals: list[tuple[float, float]] = []
    asked: dict[int, float] = {}
    sent: dict[int, float] = {}
    question_end: float | None = None
    for record in records:
        match record.payload:
            case events.VoiceMeasured(end=end):
                arrivals.append((end, record.now))
            case actions.SpeechStopped(at=at):
                question_end = next((now for end, now in reversed(arrivals) if end <= at), None)
            case actions.StartAnswer(response_id=number):
                asked[number] = record.now
            case actions.SendAudio(response_id=number):
                sent.setdefault(number, record.now)
            case actions.ShowAnswerTimes(response_id=number, times=times):
                if question_end is not None and number in asked:
                    yield _stages(question_end, asked[number], sent.get(number, record.now), times)
                question_end = None


def _stages(question_end: float, asked: float, sent: float, times: AnswerTimes) -> AnswerStages:
    return AnswerStages(
        max(0.0, asked - question_end),
        times.first_token,
        max(0.0, times.first_clause - times.first_token),
        max(0.0, times.first_sound - times.first_clause),
        max(0.0, sent - asked - times.first_sound),
    )


def read_stages(folder: Path) -> list[AnswerStages]:
    """Those of all traces of a folder."""
    return [each for path in sorted(folder.glob("*.jsonl")) for each in stages_in(read_trace(path))]


def summary(found: Sequence[AnswerStages]) -> dict[str, Any]:
    """p50 and p95 of each stage and of the whole, milliseconds."""
    names = (*STAGES, "total")
    return {
        "answers": len(found),
        **{
            name: {
                f"p{share}_ms": percentile([getattr(each, name) for each in found], share)
                for share in (50, 95)
            }
            for name in names
        },
    }


def plot_stages(found: Sequence[AnswerStages], path: Path, title: str) -> None:
    """A stacked bar for each answer, the fastest first."""
    figure, axes = pyplot.subplots(figsize=(9, 4))
    ordered = sorted(found, key=lambda each: each.total)
    bottom = [0.0] * len(ordered)
    for name, label in STAGES.items():
        heights = [getattr(each, name) * 1000 for each in ordered]
        axes.bar(range(len(ordered)), heights, bottom=bottom, width=1.0, label=label)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.axhline(300, color="grey", linestyle=":", linewidth=1)
    axes.set(title=title, xlabel=f"answers (n = {len(ordered)})", ylabel="milliseconds")
    axes.legend(fontsize="small", loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
