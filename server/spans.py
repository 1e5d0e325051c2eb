"""server: each turn as one OpenTelemetry span, made from the session's records.

A turn begins with the user's voice (or with a client's request) and ends with its answer, or with
the decision that there is none. Its events are the verdicts, the swap and the first sound; it holds
no words. Attributes follow the GenAI conventions where these have a name for it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Protocol

from duplex import actions, events
from duplex.trace import Record

MOST_EVENTS = 64  # of one turn
MOST_TURNS = 64  # that are open in one session; what is older is told as it stands
_NANOSECONDS = 1e9
EXPORT_SECONDS = 5.0


class Tracer(Protocol):
    """What is used of opentelemetry.trace.Tracer."""

    def start_span(self, name: str, *, start_time: int, attributes: dict[str, Any]) -> Any: ...


@dataclass(slots=True)
class _Turn:
    began: float
    attributes: dict[str, Any] = field(default_factory=dict)
    happened: list[tuple[str, float, dict[str, Any]]] = field(default_factory=list)
    is_decided: bool = False
    answer: int | None = None

    def note(self, name: str, now: float, **attributes: Any) -> None:
        if len(self.happened) < MOST_EVENTS:
            self.happened.append((name, now, attributes))


class TurnSpans:
    """An observer of one session. Session time 0 is the moment at which this is made."""

    def __init__(self, tracer: Tracer, session_id: str, model: str) -> None:
        self._tracer = tracer
        self._zero = time.time()
        self._shared = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "antiphon",
            "gen_ai.request.model": model,
            "gen_ai.conversation.id": session_id,
        }
        self._segments: OrderedDict[int, _Turn] = OrderedDict()
        self._answers: OrderedDict[int, _Turn] = OrderedDict()

    def record(self, record: Record) -> None:
        now = record.now
        match record.payload:
            case events.VerdictGiven(segment=number, verdict=verdict):
                if turn := self._segments.get(number):
                    scores = {"query": verdict.query, "noise": verdict.noise}
                    turn.note("antiphon.verdict", now, **scores, unfinished=verdict.unfinished)
            case actions.BeginHearing(segment=number):
                self._segments.setdefault(number, _Turn(now))
                self._bound(self._segments, now)
            case actions.Decide():
                self._decide(record.payload, now)
            case actions.StartAnswer(response_id=number, segment=segment):
                turn = self._segments.get(segment or 0) or _Turn(now, is_decided=True)
                turn.answer, self._answers[number] = number, turn
                self._bound(self._answers, now)
            case (
                actions.CancelAnswer()
                | actions.ResponseStarted()
                | actions.ShowSwap()
                | actions.SendAudio()
                | actions.ResponseEnded()
            ):
                self._follow_answer(record.payload, now)
            case events.SessionEnded():
                self._end_all(now)

    def _follow_answer(self, action: Any, now: float) -> None:
        turn = self._answers.get(action.response_id)
        if turn is None:
            return
        match action:
            case actions.CancelAnswer(response_id=number) if not _is_told(turn):
                del self._answers[number]  # a speculation that was dropped
                turn.answer = None
                turn.note("antiphon.speculation_dropped", now)
            case actions.ResponseStarted(item_id=item_id):
                turn.attributes["gen_ai.response.id"] = item_id
            case actions.ShowSwap():
                turn.note("antiphon.swap", now)
            case actions.SendAudio(start=0):
                turn.note("antiphon.first_sound", now)
            case actions.ResponseEnded():
                self._end_answer(turn, action, now)

    def _decide(self, decided: actions.Decide, now: float) -> None:
        turn = self._segments.pop(decided.segment, None)
        if turn is None:
            return
        turn.is_decided = True
        turn.attributes["antiphon.decision"] = decided.reason.value
        turn.attributes["antiphon.user_seconds"] = round(decided.end - decided.start, 3)
        if turn.answer is None:
            self._tell(turn, now)

    def _end_answer(self, turn: _Turn, ended: actions.ResponseEnded, now: float) -> None:
        del self._answers[ended.response_id]
        turn.attributes |= {
            "antiphon.status": ended.status.value,
            "antiphon.heard_ms": ended.heard_ms,
            "gen_ai.usage.input_tokens": ended.input_tokens,
            "gen_ai.usage.output_tokens": ended.output_tokens,
        }
        if ended.reason is not None:
            turn.attributes["antiphon.reason"] = ended.reason
        turn.note("antiphon.stop", now)
        turn.answer = None
        if turn.is_decided:
            self._tell(turn, now)

    def _end_all(self, now: float) -> None:
        turns = {id(t): t for t in (*self._segments.values(), *self._answers.values())}
        for turn in turns.values():
            self._tell(turn, now)
        self._segments.clear()
        self._answers.clear()

    def _bound(self, turns: OrderedDict[int, _Turn], now: float) -> None:
        while len(turns) > MOST_TURNS:
            self._tell(turns.popitem(last=False)[1], now)

    def _tell(self, turn: _Turn, now: float) -> None:
        attributes = self._shared | turn.attributes
        span = self._tracer.start_span(
            "antiphon.turn", start_time=self._wall(turn.began), attributes=attributes
        )
        for name, at, more in turn.happened:
            span.add_event(name, more, timestamp=self._wall(at))
        span.end(end_time=self._wall(now))

    def _wall(self, now: float) -> int:
        return round((self._zero + now) * _NANOSECONDS)


def _is_told(turn: _Turn) -> bool:
    """The client knows of this answer."""
    return "gen_ai.response.id" in turn.attributes


class SpanExport:
    """Sends spans to an OTLP collector over HTTP, from a thread of its own; what a collector that
    is down or slow does not take is thrown away. Raises ModuleNotFoundError without the extra."""

    def __init__(self, endpoint: str, version: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "antiphon", "service.version": version}),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer: Tracer = self._provider.get_tracer("antiphon")

    def close(self) -> None:
        """Send what is left. Blocks for a few seconds at most."""
        self._provider.force_flush(round(EXPORT_SECONDS * 1000))
        self._provider.shutdown()
