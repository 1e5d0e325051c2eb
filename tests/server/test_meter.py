"""Records of a session become figures."""

from __future__ import annotations

from typing import Any

from duplex import actions, events
from duplex.trace import Measured, Record
from models.base import AnswerOptions
from server.meter import SessionMeter
from server.metrics import Metrics


def measure(*records: tuple[float, Any]) -> Metrics:
    metrics = Metrics()
    meter = SessionMeter(metrics)
    # Sound arrives 50 ms after it was spoken, in windows of 32 ms.
    for index in range(200):
        window = events.VoiceMeasured(index * 0.032, (index + 1) * 0.032, 0.9)
        meter.record(Record(window.end + 0.05, "event", window))
    for now, payload in records:
        kind: Any = "note" if isinstance(payload, Measured) else "action"
        meter.record(Record(now, kind, payload))
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_response_latency() -> None:
    metrics = measure(
        (1.8, actions.SpeechStopped("u", 1.6)),
        (1.8, actions.BufferCommitted("u", None)),
        (1.8, actions.ResponseStarted(1, "a", "u", AnswerOptions())),
        (1.9, actions.SendAudio(1, 0, 480)),
        (2.0, actions.SendAudio(1, 480, 480)),
    )
    assert value(metrics, "antiphon_response_latency_seconds_count") == 1
    total = value(metrics, "antiphon_response_latency_seconds_sum")
    assert total is not None
    assert abs(total - 0.25) < 1e-6  # sent at 1.9, last voiced sample in at 1.65
    sent = value(metrics, "antiphon_sent_audio_seconds_total")
    assert sent == 0.04


def test_barge_in_stop_counts_from_the_onset() -> None:
    cancelled = actions.ResponseStatus.CANCELLED
    metrics = measure(
        (2.3, actions.SpeechStarted("v", 1.62)),
        (2.3, actions.ResponseEnded(1, cancelled, "turn_detected")),
        (5.0, actions.Decide(2, actions.Reason.ANSWERED, 1.92, 3.0, item_id="v")),
    )
    total = value(metrics, "antiphon_barge_in_stop_seconds_sum")
    assert total is not None
    assert abs(total - (2.3 - 1.97)) < 1e-6
    assert value(metrics, "antiphon_decisions_total", reason="answered") == 1


def test_stalled_turn() -> None:
    committed = (2.0, actions.BufferCommitted("u", None))
    decided = (9.0, actions.Decide(1, actions.Reason.ANSWERED, 1.0, 1.6, item_id="u"))
    late = (60.0, actions.ShowState("silent", "listening"))
    assert value(measure(committed, decided, late), "antiphon_stalled_turns_total") == 0
    assert value(measure(committed, late), "antiphon_stalled_turns_total") == 1


def test_a_long_answer_is_no_stalled_turn() -> None:
    committed = (2.0, actions.BufferCommitted("u", None))
    started = (2.0, actions.ResponseStarted(1, "a", "u", AnswerOptions()))
    late = (60.0, actions.ShowState("silent", "listening"))
    for output, stalled in [(actions.SendAudio(1, 0, 480), 0), (actions.SendAudio(7, 0, 480), 1)]:
        metrics = measure(committed, started, (2.4, output), late)
        assert value(metrics, "antiphon_stalled_turns_total") == stalled


def test_counts() -> None:
    metrics = measure(
        (2.0, actions.StartAnswer(1, AnswerOptions(), speculative=True)),
        (2.1, actions.CancelAnswer(1, rewind=True)),
        (2.2, actions.StartAnswer(2, AnswerOptions(), speculative=True)),
        (2.3, actions.ConfirmAnswer(2)),
        (2.3, actions.ShowSwap(2)),
        (2.4, Measured("catch_up_seconds", 0.2)),
        (2.5, actions.Refuse("invalid_value", "no")),
    )
    for outcome in ("dropped", "confirmed"):
        assert value(metrics, "antiphon_speculations_total", outcome=outcome) == 1
    assert value(metrics, "antiphon_swaps_total") == 1
    assert value(metrics, "antiphon_catch_up_seconds_sum") == 0.2
    assert value(metrics, "antiphon_client_errors_total", code="invalid_value") == 1
