"""Who may come in: keys, short-lived keys, and the page's own origin.

Keys are kept and compared as digests, in constant time, and appear in no log.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from server.config import LOOPBACK, ServerSettings
from server.realtime.session_config import SessionConfig

SUBPROTOCOL = "realtime"
_KEY_PROTOCOL = "openai-insecure-api-key."
_KEY_HEADERS = ("x-api-key", "api-key")
_MOST_SECRETS = 10_000  # short-lived keys that are valid at the same time


@dataclass(frozen=True, slots=True)
class Grant:
    """A client may come in; `session` is baked into its short-lived key."""

    session: SessionConfig | None = None
    is_ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """`expires_at` in seconds since 1970."""

    value: str
    expires_at: int
    session: SessionConfig


class Keyring:
    """The operator's keys and the short-lived ones made from them. Without keys all may come in."""

    def __init__(self, keys: Iterable[str], clock: Callable[[], float] = time.time) -> None:
        self._digests = [_digest(key) for key in keys]
        self._clock = clock
        self._secrets: dict[bytes, ClientSecret] = {}

    @property
    def is_open(self) -> bool:
        return not self._digests

    def admit(self, key: str | None) -> Grant | None:
        """None: not with this key."""
        digest = _digest(key or "")
        secret = self._secrets.get(digest)
        if secret is not None and secret.expires_at > self._clock():
            return Grant(secret.session, is_ephemeral=True)
        if self.is_open or self._is_known(digest):
            return Grant()
        return None

    def _is_known(self, digest: bytes) -> bool:
        # Every key is compared, whichever fits, so that the time says nothing.
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)

    def new_secret(self, session: SessionConfig, seconds: int) -> ClientSecret:
        """A short-lived key that works for many connections until it expires."""
        now = self._clock()
        self._secrets = {k: s for k, s in self._secrets.items() if s.expires_at > now}
        while len(self._secrets) >= _MOST_SECRETS:
            del self._secrets[next(iter(self._secrets))]
        secret = ClientSecret(f"ek_{secrets.token_urlsafe(24)}", int(now) + seconds, session)
        self._secrets[_digest(secret.value)] = secret
        return secret


def presented_key(headers: Headers, subprotocols: Iterable[str] = ()) -> str | None:
    """The key in a request: bearer, X-API-Key, Azure's api-key, or a browser's subprotocol."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return bearer.strip()
    for name in _KEY_HEADERS:
        if name in headers:
            return headers[name]
    for protocol in subprotocols:
        if protocol.startswith(_KEY_PROTOCOL):
            return protocol.removeprefix(_KEY_PROTOCOL)
    return None


def answered_subprotocol(subprotocols: Iterable[str]) -> str | None:
    """`realtime` and nothing else: the key must never come back."""
    return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None


def is_origin_allowed(headers: Headers, settings: ServerSettings) -> bool:
    """No origin (no browser), the server's own, or one that the operator named."""
    origin = headers.get("origin")
    if origin is None or "*" in settings.allowed_origins:
        return True
    if origin.rstrip("/") in settings.allowed_origins:
        return True
    where = urlsplit(origin)
    if settings.is_local and where.hostname not in LOOPBACK:
        return False  # a foreign name that was pointed at this machine
    return bool(where.netloc) and where.netloc.lower() == headers.get("host", "").lower()


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
