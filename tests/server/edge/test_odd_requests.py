"""Requests that no honest client sends: a 4xx or an answer, never a 5xx or a traceback."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import pytest

from tests.server.edge.test_connections import dial
from tests.server.house import KEY, House

_UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {KEY}\r\n"
)
_POST = f"POST /v1/realtime/client_secrets HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\n"
_HOST = "Host: localhost\r\n"


def call(more: str, path: str = "/v1/realtime?model=nano") -> str:
    return f"GET {path} HTTP/1.1\r\n{_HOST}{_UPGRADE}{more}\r\n"


def get(path: str, more: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\n{_HOST}{more}\r\n"


def body(text: str) -> str:
    return f"{_POST}{_HOST}Content-Length: {len(text)}\r\n\r\n{text}"


@pytest.mark.parametrize(
    "request_text",
    [
        call("Sec-WebSocket-Protocol: \xff, ,,, realtime\r\n"),
        call("Sec-WebSocket-Protocol: a b c\r\n"),
        call("Sec-WebSocket-Extensions: permessage-deflate; =;;\r\n"),
        call("Origin: http://\xe2\x84\x80.example:99999\r\n"),
        call("Origin: http://127.0.0.1:abc\r\n"),
        call("Origin: http://a\r\nOrigin: http://[\r\n"),
        call("X-Forwarded-For: [::, %%, \xff\r\n"),
        call("", "/v1/realtime?model=%ff&model=&x=%00"),
        call("", "/v1/realtime?resume=%00%ff"),
        call("").replace("dGhlIHNhbXBsZSBub25jZQ==", "%%"),
        call("").replace("Version: 13", "Version: 99"),
        call("").replace("GET", "POST", 1),
        call("", "/healthz"),
        get("/metrics", "Accept: application/openmetrics-text; version=\xff;;;q=x\r\n"),
        get("/metrics", "Accept: application/openmetrics-text; version=1.x\r\n"),
        get("/index.html", "If-Modified-Since: \xff\r\nRange: bytes=9-1,x\r\n"),
        get("/v1/%ff%fe%00"),
        get("/a%00b"),
        get("/%2e%2e/%2e%2e/etc/passwd"),
        get("/readyz?full=maybe"),
        "GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        "GET /v1/realtime HTTP/1.1\r\nHost: [\r\n\r\n",
        f"{_POST}{_HOST}Content-Length: -5\r\n\r\n",
        f"{_POST}{_HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        body("\xff\xfe{}"),
        body("[]"),
        body('{"session":{"instructions":"\\ud800"}}'),
        body('{"expires_after":{"seconds":' + "9" * 210 + "}}"),
        body('{"expires_after":{"seconds":1e999}}'),
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 200,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_an_odd_request_is_answered_and_logged_without_a_traceback(
    house: House, caplog: pytest.LogCaptureFixture, request_text: str
) -> None:
    caplog.set_level(logging.INFO)
    reader, writer = await dial(house)
    writer.write(request_text.encode("latin-1"))
    async with asyncio.timeout(10):
        line = b""
        with suppress(ConnectionError):
            line = await reader.readline()
    writer.close()
    assert line.startswith(b"HTTP/1.1 ") and line[9:10] in b"124", line
    assert not [record for record in caplog.records if record.exc_info]
    assert "Traceback" not in caplog.text
