"""What /metrics shows. Each number is counted in one place, most of them in `meter`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

# Around the budget of 300 ms: fine where it is kept or missed, coarse where all is lost.
BUDGET_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0, 2.0, 5.0)
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
RATIO_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0)
LAG_PERIOD = 0.25


class Metrics:
    """All instruments of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count_clients()
        self._count_turns()
        self._measure_times()
        self._watch_queues()

    def _count_clients(self) -> None:
        self.sessions = self._gauge("antiphon_sessions", "Sessions that are open.")
        self.sessions_opened = self._counter("antiphon_sessions_opened", "Sessions ever opened.")
        self.sessions_closed = self._counter(
            "antiphon_sessions_closed", "Sessions closed, by close code.", "code"
        )
        self.refusals = self._counter(
            "antiphon_refusals", "Clients refused before the upgrade, by reason.", "reason"
        )
        self.errors = self._counter(
            "antiphon_client_errors", "Error events sent to clients, by code.", "code"
        )
        self.resumes = self._counter(
            "antiphon_resumes", "Clients that came back with a resume token, by outcome.", "outcome"
        )
        self.resume_writes = self._counter(
            "antiphon_resume_writes",
            "Conversations written to the store, by outcome.",
            "outcome",
        )
        self.throttled = self._counter(
            "antiphon_throttled_seconds", "Time for which clients were read more slowly."
        )

    def _count_turns(self) -> None:
        self.decisions = self._counter(
            "antiphon_decisions", "Segments of user sound, by the reason they ended for.", "reason"
        )
        self.swaps = self._counter("antiphon_swaps", "Monitors that became generators.")
        self.responses = self._counter("antiphon_responses", "Answers ended, by status.", "status")
        self.speculations = self._counter(
            "antiphon_speculations",
            "Answers begun before the turn was over, by outcome.",
            "outcome",
        )
        self.failed_work = self._counter(
            "antiphon_failed_work", "Pieces of work on which an instance failed.", "model"
        )
        self.unhealthy = self._counter(
            "antiphon_unhealthy_instances", "Instances that did not judge in time."
        )
        self.unresponsive = self._counter(
            "antiphon_unresponsive_instances", "Instances left behind because they did not stop."
        )
        self.stalled = self._counter(
            "antiphon_stalled_turns", "Committed turns without an end within the bound."
        )
        self.llm_requests = self._counter(
            "antiphon_llm_requests",
            "Requests for replies to a language model's address, by outcome.",
            "outcome",
        )
        self.dropped_audio = self._counter(
            "antiphon_dropped_audio_seconds", "User sound that was dropped."
        )
        self.lost_trace = self._counter(
            "antiphon_lost_trace_pieces", "Pieces of traces that could not be written."
        )
        self.heard_audio = self._counter("antiphon_heard_audio_seconds", "User sound taken in.")
        self.sent_audio = self._counter("antiphon_sent_audio_seconds", "Sound of answers sent.")

    def _measure_times(self) -> None:
        self.response_latency = self._histogram(
            "antiphon_response_latency_seconds",
            "From the arrival of the last voiced sample to the first sample of its answer.",
            BUDGET_BUCKETS,
        )
        self.barge_in_stop = self._histogram(
            "antiphon_barge_in_stop_seconds",
            "From the arrival of an interruption's first voiced sample to the answer's end.",
            BUDGET_BUCKETS,
        )
        self.catch_up = self._histogram(
            "antiphon_catch_up_seconds",
            "How long a stream read what it had missed of its conversation.",
            BUDGET_BUCKETS,
        )
        self.hearing_lag = self._histogram(
            "antiphon_hearing_lag_seconds",
            "How far behind the arrival of the sound a verdict was given.",
            BUDGET_BUCKETS,
        )
        self.answer_stages = Histogram(
            "antiphon_answer_stage_seconds",
            "Until a stage of an answer was reached, for engines that tell: the user's last words"
            " transcribed; then, from when it was asked for, first token, clause and sound.",
            ("stage",),
            buckets=BUDGET_BUCKETS,
            registry=self.registry,
        )
        self.model_rtf = Histogram(
            "antiphon_model_rtf_ratio",
            "Compute time (with waiting) over audio time, by model and work.",
            ("model", "work"),
            buckets=RATIO_BUCKETS,
            registry=self.registry,
        )
        self.loop_lag = self._histogram(
            "antiphon_event_loop_lag_seconds", "How late the event loop wakes up.", LAG_BUCKETS
        )

    def _watch_queues(self) -> None:
        self.build = Gauge(
            "antiphon_build_info",
            "Always 1: which version serves which model with which engine.",
            ("version", "engine", "model"),
            registry=self.registry,
        )
        self.outgoing = self._gauge(
            "antiphon_outgoing_queue_messages", "Messages that wait for clients to read them."
        )
        self.backlog = self._gauge(
            "antiphon_input_backlog_seconds", "User sound that waits to be heard."
        )
        self.pairs = self._gauge("antiphon_pairs", "Pairs of instances that are loaded.")
        self.instances_up = self._gauge(
            "antiphon_instances_up", "Whether streams can be opened on an instance.", "model"
        )
        self.open_streams = self._gauge(
            "antiphon_open_streams", "Streams that are open on an instance.", "model"
        )
        self.trouble = self._gauge(
            "antiphon_llm_trouble", "1 while a language model's address cannot be used."
        )
        self.leases = self._gauge("antiphon_leases", "Leases on pairs that sessions hold.")
        self.places = self._gauge(
            "antiphon_places_left", "Sessions that could be opened now; 0 while draining."
        )
        self.draining = self._gauge(
            "antiphon_draining", "1 from the request to end until the process ends."
        )
        self.capacity = self._gauge("antiphon_capacity_sessions", "Sessions that can be open.")

        self.tasks = self._gauge("antiphon_event_loop_tasks", "Tasks of the event loop.")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, buckets=buckets, registry=self.registry)

    def text(self, accept: str = "") -> bytes:
        """All instruments as text. In OpenMetrics, which a scraper asks for by its Accept header,
        buckets carry exemplars."""
        return self.exposition(accept)[0]

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All instruments and their content type, in the form that an Accept header asks for."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encoder, content_type = choose_encoder("")
        return bytes(encoder(self.registry)), content_type

    async def watch_loop(self, clock: Callable[[], float]) -> None:
        """Measure, until cancelled, how late a timer fires."""
        while True:
            due = clock() + LAG_PERIOD
            await asyncio.sleep(LAG_PERIOD)
            self.loop_lag.observe(max(0.0, clock() - due))
