"""Plays the trials of one scene and keeps count of what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.progress import Progress

from benchmarks.driver import CallerLine, Failure, play
from benchmarks.history_check import HistoryChecks
from benchmarks.outcomes import reasons, score
from benchmarks.public import score_public, write_output
from benchmarks.results import curve, summarise
from benchmarks.resume import Resumes
from benchmarks.scene import Trial
from benchmarks.trace_audit import balance
from server.call.caller import Caller
from server.call.record import CallRecord


class SceneRunner:
    """What the trials of one scene have said so far. `outputs`: where the public benchmark's own
    scorer shall find what it reads."""

    def __init__(
        self, progress: Progress, title: str, count: int, outputs: Path | None = None
    ) -> None:
        self.outcomes: list[dict[str, Any]] = []
        self.reasons: dict[str, int] = {}
        self.sessions: list[str] = []
        self.late = 0
        self.worst = 0.0
        self.outputs = outputs
        self._afterwards: dict[str, HistoryChecks | Resumes] = {}
        self._progress, self._task = progress, progress.add_task(title, total=count)

    async def take(self, trial: Trial, record: CallRecord, caller: Caller) -> None:
        """Score one record, its line still open."""
        self._progress.advance(self._task)
        self.late += record.lateness.late
        self.worst = max(self.worst, record.lateness.worst)
        self.sessions.append(record.session_id)
        for reason, count in reasons(record).items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        if trial.score in ("history", "resume"):
            kind: type[HistoryChecks | Resumes] = (
                HistoryChecks if trial.score == "history" else Resumes
            )
            await self._afterwards.setdefault(trial.score, kind()).take(trial, record, caller)
        elif "sample" in trial.facts:
            self.outcomes.append(score_public(trial, record))
            if self.outputs is not None:
                write_output(trial.facts["sample"], record, self.outputs)
        else:
            clips = [cue.clip.name for cue, _ in record.cues]
            facts = {"group": trial.group, "number": trial.number, "clips": clips}
            self.outcomes.append(score(trial, record) | facts | {"session": record.session_id})

    async def finish(self, line: CallerLine) -> None:
        """Judge what could not be judged from one call alone."""
        for afterwards in self._afterwards.values():
            self.outcomes += await afterwards.judge(line)

    def result(self, failures: list[Failure]) -> dict[str, Any]:
        """Figures, reasons, and how far they can be trusted."""
        return summarise(self.outcomes) | {
            "reasons": self.reasons,
            "failed_calls": [f"{one.trial.number}: {one.reason}" for one in failures],
            "driver": {"late_frames": self.late, "worst_ms": round(self.worst * 1000, 1)},
            "outcomes": self.outcomes,
        }


async def measure(
    line: CallerLine,
    trials: list[Trial],
    progress: Progress,
    *,
    title: str,
    sessions: int,
    outputs: Path | None = None,
) -> dict[str, Any]:
    """Play the trials of one scene and give its result."""
    tally = SceneRunner(progress, title, len(trials), outputs)
    failures = await play(line, trials, tally.take, sessions=sessions)
    await tally.finish(line)
    result = tally.result(failures) | {"sessions": tally.sessions}
    if trials and trials[0].score == "endpoint":
        result["curve"] = curve(result.get("groups", {}))
    return result


def settle(result: dict[str, Any], traces: Path) -> None:
    """Put the books into a result, once the server has written its traces to the end."""
    result["accounts"] = balance(traces, result.pop("sessions"))
