"""tests: a transcriber behind /v1/audio/transcriptions: a real request, and all that can fail."""

from __future__ import annotations

import email.parser
import email.policy
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import soundfile

from models.base import HEAR_RATE, InstanceFailed, Samples
from models.transcribers.endpoint import EndpointTranscriber

TONE: Samples = (0.5 * np.sin(np.arange(8_000) * 0.1)).astype(np.float32)


@dataclass
class Address:
    """A server that answers every request alike and keeps what it was sent."""

    status: int = 200
    body: bytes = b'{"text": " Where is Paris? "}'
    url: str = ""
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    parts: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def address(status: int = 200, body: bytes | None = None) -> Iterator[Address]:
    here = Address(status) if body is None else Address(status, body)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            here.paths.append(self.path)
            here.keys.append(self.headers["Authorization"])
            here.parts = _form(self.headers["Content-Type"], self.rfile.read(length))
            self.send_response(here.status)
            self.send_header("Content-Length", str(len(here.body)))
            self.end_headers()
            self.wfile.write(here.body)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()


def _form(kind: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart form."""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    found = {}
    for part in parser.parsebytes(head + body).iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(part.get_param("name", header="content-disposition"))] = content
    return found


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_segment_is_sent_as_a_recording_and_its_words_come_back(suffix: str) -> None:
    with address() as here:
        transcriber = EndpointTranscriber(here.url + suffix, "small", "fr", key="secret")
        assert transcriber.transcribe(np.concatenate((TONE, TONE * 4))) == "Where is Paris?"
        transcriber.close()
    assert here.paths == ["/v1/audio/transcriptions"]
    assert here.keys == ["Bearer secret"]
    fields = {name: here.parts[name] for name in ("model", "language", "response_format")}
    assert fields == {"model": b"small", "language": b"fr", "response_format": b"json"}
    sound, rate = soundfile.read(io.BytesIO(here.parts["file"]), dtype="float32")
    assert rate == HEAR_RATE and len(sound) == 2 * len(TONE)
    np.testing.assert_allclose(sound[: len(TONE)], TONE, atol=1e-3)
    assert np.abs(sound).max() <= 1.0  # too loud is cut, and does not turn over


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, b"busy", "answered 503"),
        (401, b"{}", "answered 401"),
        (200, b"<html>", "gave no text"),
        (200, b'{"words": "none"}', "gave no text"),
        (200, b"[]", "gave no text"),
        (200, b'{"text": null}', "gave no text"),
        (200, b'{"text": ["a"]}', "gave no text"),
    ],
)
def test_an_address_that_fails_says_why(status: int, body: bytes, reason: str) -> None:
    with address(status, body) as here:
        transcriber = EndpointTranscriber(here.url, key="secret")
        with pytest.raises(InstanceFailed, match=reason) as caught:
            transcriber.transcribe(TONE)
        assert "secret" not in str(caught.value)
        here.status, here.body = 200, b'{"text": "well again"}'
        assert transcriber.transcribe(TONE) == "well again"
        transcriber.close()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    transcriber = EndpointTranscriber(f"http://127.0.0.1:{port}")
    with pytest.raises(InstanceFailed, match="ConnectError"):
        transcriber.transcribe(TONE)
    transcriber.close()


def test_an_address_that_never_answers_has_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        transcriber = EndpointTranscriber(url, seconds=0.2)
        with pytest.raises(InstanceFailed, match="Timeout"):
            transcriber.transcribe(TONE)
        transcriber.close()
