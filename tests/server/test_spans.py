"""Turns as spans, received by a collector that speaks OTLP."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from duplex import actions, events
from duplex.trace import Record
from models.base import AnswerOptions, Verdict
from server.spans import MOST_TURNS, TurnSpans
from tests.engine_script import NOISE, EngineScript, timed
from tests.server.house import House, noise, receive, silence
from tests.server.test_conversation import open_session, speak, until


class Collector:
    """What arrives at an OTLP collector: spans as dictionaries, in order."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            shared = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        {
                            "name": span.name,
                            "resource": shared,
                            "attributes": _values(span.attributes),
                            "events": [event.name for event in span.events],
                            "times": [span.start_time_unix_nano]
                            + [event.time_unix_nano for event in span.events]
                            + [span.end_time_unix_nano],
                        }
                    )


def _values(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


async def test_a_turn_is_a_span_at_the_collector(collector: Collector) -> None:
    async with House(spans=collector.url) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection)
            sound = (noise(0.6), silence(1.0))
            await asyncio.gather(speak(connection, *sound), until(connection, "response.done"))
        await house.until_empty()
    (span,) = collector.spans
    assert span["name"] == "antiphon.turn"
    assert span["resource"]["service.name"] == "antiphon"
    given = span["attributes"]
    assert given["antiphon.decision"] == "answered" and given["antiphon.status"] == "completed"
    assert given["gen_ai.request.model"] == "nano"
    assert given["gen_ai.conversation.id"].startswith("sess_")
    order = [name.removeprefix("antiphon.") for name in span["events"]]
    assert order.index("verdict") < order.index("first_sound") < order.index("stop")
    assert "swap" in order
    assert span["times"] == sorted(span["times"])
    assert 0.5e9 < span["times"][-1] - span["times"][0] < 10e9


async def test_ignored_noise_is_a_span_too(collector: Collector) -> None:
    script = EngineScript(verdict=timed([(0.0, NOISE)]))
    async with House(script, spans=collector.url) as house:
        async with house.sdk.realtime.connect(model="nano") as connection:
            await open_session(connection, antiphon={"events": ["decision"]})
            sound = (noise(0.6), silence(1.0))
            await asyncio.gather(speak(connection, *sound), until(connection, "antiphon.decision"))
        await house.until_empty()
    (span,) = collector.spans
    assert span["attributes"]["antiphon.decision"] == "ignored-noise"
    assert "antiphon.first_sound" not in span["events"]


async def test_a_collector_that_is_down_disturbs_nobody() -> None:
    async with House(spans="http://127.0.0.1:9/v1/traces") as house, house.connect() as client:
        await client.send('{"type": "response.create"}')
        done = await receive(client, "response.done")
        assert done["response"]["status"] == "completed"


# --------------------------------------------------------------------- the observer by itself


class Told:
    """A tracer that keeps what it is told."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    def start_span(self, name: str, *, start_time: int, attributes: dict[str, Any]) -> Any:
        told = self
        record = {"name": name, "attributes": attributes, "events": []}

        class Span:
            def add_event(self, name: str, attributes: Any, timestamp: int) -> None:
                record["events"].append(name)  # type: ignore[attr-defined]

            def end(self, end_time: int) -> None:
                told.spans.append(record)

        return Span()


def action(now: float, payload: Any) -> Record:
    return Record(now, "action", payload)


def test_a_dropped_speculation_is_no_answer() -> None:
    told = Told()
    spans = TurnSpans(told, "sess_t", "nano")
    for record in (
        action(1.0, actions.BeginHearing(1, 0.9)),
        Record(1.2, "event", events.VerdictGiven(1, Verdict(0.9, 0.1), 1.1)),
        action(1.2, actions.StartAnswer(1, AnswerOptions(), True, 1)),
        action(1.3, actions.CancelAnswer(1, rewind=True)),
        action(2.0, actions.Decide(1, actions.Reason.ABANDONED, 0.9, 1.5)),
    ):
        spans.record(record)
    (span,) = told.spans
    assert span["events"] == ["antiphon.verdict", "antiphon.speculation_dropped"]
    assert "antiphon.status" not in span["attributes"]


def test_what_never_ends_is_bounded_and_told_at_the_end() -> None:
    told = Told()
    spans = TurnSpans(told, "sess_t", "nano")
    for number in range(1, 3 * MOST_TURNS):
        spans.record(action(number, actions.BeginHearing(number, number)))
    assert len(told.spans) == 3 * MOST_TURNS - 1 - MOST_TURNS
    spans.record(Record(500.0, "event", events.SessionEnded()))
    assert len(told.spans) == 3 * MOST_TURNS - 1
