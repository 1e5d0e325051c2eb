"""Which host names the server answers to, and what browsers may do with its page.

A page of a foreign name that was pointed at this machine has this server for its own origin; only
the name in the Host header tells.
"""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from prometheus_client import Counter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.admission import Denied
from server.config import ServerSettings, is_loopback

UNGUARDED = ("/healthz", "/readyz", "/metrics")  # probes come by any name
_SAFE_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]+")
_POLICY = (
    "default-src 'self'; connect-src 'self'{sockets}; img-src 'self' data: blob:; "
    "media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def host_name(header: str) -> str:
    """The name of a Host header, without port and brackets; empty for what is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def is_answered(name: str, settings: ServerSettings) -> bool:
    """Whether requests to a host name are answered."""
    if is_loopback(name):
        return True
    named = {each.lower() for each in settings.host_names}
    if named:
        return name in named or "*" in named
    if any(name == host_name(urlsplit(origin).netloc) for origin in settings.allowed_origins):
        return True
    if settings.api_keys:
        return True  # whoever points a name here has no key
    return not settings.is_local and (_is_address(name) or name == socket.gethostname().lower())


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class HostGuard:
    """Refuses requests to foreign names, and sends the page's rules for browsers with every
    answer."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, refusals: Counter) -> None:
        self._app, self._settings, self._refusals = app, settings, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        is_foreign = not is_answered(host_name(host), self._settings)
        if is_foreign and scope["path"] not in UNGUARDED:
            await self._refuse(scope, receive, send)
        elif scope["type"] == "http":
            await self._app(scope, receive, _with_rules(send, host))
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._refusals.labels("host").inc()
        message = "This server does not answer to that host name; host_names says to which."
        response = Denied(421, "host", message).response()
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)


def _with_rules(send: Send, host: str) -> Send:
    sockets = f" ws://{host} wss://{host}" if _SAFE_HOST.fullmatch(host) else ""
    policy = _POLICY.format(sockets=sockets)

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "no-referrer"
        await send(message)

    return sending
