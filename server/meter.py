"""One session's records become metrics (an observer of duplex.trace)."""

from __future__ import annotations

from collections import deque
from typing import Any

from duplex import actions, events
from duplex.trace import Measured, Record
from models.base import SPEAK_RATE
from server.metrics import Metrics

STALLED_AFTER = 15.0  # seconds from a commit to a decision or to the first of its answer
_WINDOWS_KEPT = 4096  # arrival times of the last two minutes of sound


class SessionMeter:
    """Counts one session. Times come from the records, so a replayed trace counts the same."""

    def __init__(self, metrics: Metrics, trace: str | None = None) -> None:
        """`trace`: the name of the session's trace file, which slow answers point to."""
        self._metrics = metrics
        self._exemplar = None if trace is None else {"trace": trace}
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_WINDOWS_KEPT)
        self._question_end: float | None = None  # when its last voiced sample arrived
        self._speaking: str | None = None  # the item of the latest speech
        self._stops: dict[str, float] = {}  # speech that stopped an answer, and when
        self._waiting_for_sound: int | None = None
        self._open_turns: dict[str, float] = {}
        self._answered: dict[int, str] = {}  # answers of which nothing has left, and their turns
        self._speculative: set[int] = set()

    def record(self, record: Record) -> None:
        payload, now = record.payload, record.now
        if isinstance(payload, events.VoiceMeasured):
            self._arrivals.append((payload.end, now))
        elif isinstance(payload, events.VerdictGiven):
            arrived = self._arrival(payload.until)
            if arrived is not None:
                self._metrics.hearing_lag.observe(max(0.0, now - arrived))
        elif record.direction == "action":
            self._count_turn(payload, now)
            self._count_answer(payload, now)
        elif isinstance(payload, Measured):
            self._count_note(payload)
        self._count_stalled(now)

    def close(self, now: float) -> None:
        self._count_stalled(now)

    def _arrival(self, at: float) -> float | None:
        """When the sound at `at` (user audio, seconds) had come in."""
        for end, now in reversed(self._arrivals):
            if end <= at:
                return now
        return None

    def _count_turn(self, action: Any, now: float) -> None:
        match action:
            case actions.Decide():
                self._metrics.decisions.labels(action.reason.value).inc()
                self._open_turns.pop(action.item_id or "", None)
                self._measure_stop(action)
            case actions.SpeechStarted(item_id=item_id):
                self._speaking = item_id
            case actions.SpeechStopped(at=at):
                self._question_end = self._arrival(at)
            case actions.BufferCommitted(item_id=item_id):
                self._open_turns[item_id] = now
            case actions.Refuse(code=code):
                self._metrics.errors.labels(code).inc()
            case actions.ReplaceMonitor(segment=int()):
                self._metrics.unhealthy.inc()

    def _count_answer(self, action: Any, now: float) -> None:
        match action:
            case actions.ResponseTextAdded(response_id=number):
                self._begin_output(number)
            case actions.SendAudio(response_id=number, count=count):
                self._begin_output(number)
                self._metrics.sent_audio.inc(count / SPEAK_RATE)
                self._measure_latency(number, now)
            case actions.ShowSwap():
                self._metrics.swaps.inc()
            case actions.StartAnswer(response_id=number, speculative=True):
                self._speculative.add(number)
            case actions.ConfirmAnswer(response_id=number):
                self._settle_speculation(number, "confirmed")
            case actions.CancelAnswer(response_id=number):
                self._settle_speculation(number, "dropped")
            case actions.ResponseStarted(response_id=number, in_conversation=True):
                self._answered[number] = action.previous_item_id or ""
                # One commit, one answer: an answer by request alone has no latency from speech.
                self._waiting_for_sound = number if self._question_end is not None else None
            case actions.ResponseEnded():
                self._count_end(action, now)

    def _begin_output(self, number: int) -> None:
        """A turn whose answer is on its way is not stalled, however long the answer."""
        self._open_turns.pop(self._answered.pop(number, ""), None)

    def _measure_latency(self, number: int, now: float) -> None:
        if number == self._waiting_for_sound and self._question_end is not None:
            latency = max(0.0, now - self._question_end)
            self._metrics.response_latency.observe(latency, self._exemplar)
            self._waiting_for_sound = self._question_end = None

    def _count_end(self, ended: actions.ResponseEnded, now: float) -> None:
        self._metrics.responses.labels(ended.status.value).inc()
        self._answered.pop(ended.response_id, None)
        if ended.reason == "turn_detected" and self._speaking is not None:
            self._stops[self._speaking] = now

    def _measure_stop(self, decided: actions.Decide) -> None:
        """Only the decision knows the onset; what the wire says has padding in it."""
        stopped = self._stops.pop(decided.item_id or "", None)
        onset = self._arrival(decided.start)
        if stopped is not None and onset is not None:
            self._metrics.barge_in_stop.observe(max(0.0, stopped - onset), self._exemplar)

    def _count_note(self, noted: Measured) -> None:
        if noted.what == "catch_up_seconds":
            self._metrics.catch_up.observe(noted.value)
        elif noted.what == "unresponsive_instances":
            self._metrics.unresponsive.inc(noted.value)

    def _settle_speculation(self, number: int, outcome: str) -> None:
        if number in self._speculative:
            self._speculative.discard(number)
            self._metrics.speculations.labels(outcome).inc()

    def _count_stalled(self, now: float) -> None:
        stalled = [item for item, since in self._open_turns.items() if now - since > STALLED_AFTER]
        for item in stalled:
            del self._open_turns[item]
            self._metrics.stalled.inc()
