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

from server.config import ServerSettings, is_loopback
from server.realtime.session_config import SessionConfig

SUBPROTOCOL = "realtime"
_KEY_PROTOCOL = "openai-insecure-api-key."
_KEY_HEADERS = ("x-api-key", "api-key")
# Short-lived keys that are valid at the same time, and bytes of the sessions baked into them; the
# oldest give way.
_MOST_SECRETS, _MOST_BYTES = 10_000, 16 * 2**20


@dataclass(frozen=True, slots=True)
class Grant:
    """A client may come in; `session` is baked into its short-lived key. `key` tells one key from
    another, without being it."""

    session: SessionConfig | None = None
    is_ephemeral: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """`expires_at` in seconds since 1970."""

    value: str
    expires_at: int
    session: bytes  # as JSON: what its objects would take in memory is many times as much


class Keyring:
    """The operator's keys and the short-lived ones made from them. Without keys all may come in."""

    def __init__(self, keys: Iterable[str], clock: Callable[[], float] = time.time) -> None:
        self._digests = [_digest(key) for key in keys]
        self._clock = clock
        self._secrets: dict[bytes, ClientSecret] = {}
        self._bytes = 0

    @property
    def is_open(self) -> bool:
        return not self._digests

    def admit(self, key: str | None) -> Grant | None:
        """None: not with this key."""
        digest = _digest(key or "")
        secret = self._secrets.get(digest)
        if secret is not None and secret.expires_at > self._clock():
            session = SessionConfig.model_validate_json(secret.session)
            return Grant(session, is_ephemeral=True, key=digest.hex())
        if self.is_open or self._is_known(digest):
            return Grant(key="" if self.is_open else digest.hex())
        return None

    def _is_known(self, digest: bytes) -> bool:
        # Every key is compared, whichever fits, so that the time says nothing.
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)

    def new_secret(self, session: SessionConfig, seconds: int) -> ClientSecret:
        """A short-lived key that works for many connections until it expires."""
        now = self._clock()
        self._secrets = {k: s for k, s in self._secrets.items() if s.expires_at > now}
        kept = session.model_dump_json().encode()
        self._make_room(len(kept))
        value = f"ek_{secrets.token_urlsafe(24)}"
        secret = ClientSecret(value, int(now) + seconds, kept)
        self._secrets[_digest(secret.value)] = secret
        self._bytes += len(kept)
        return secret

    def _make_room(self, size: int) -> None:
        self._bytes = sum(len(secret.session) for secret in self._secrets.values())
        while self._secrets and (
            len(self._secrets) >= _MOST_SECRETS or self._bytes + size > _MOST_BYTES
        ):
            oldest = self._secrets.pop(next(iter(self._secrets)))
            self._bytes -= len(oldest.session)


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
    try:
        where = urlsplit(origin)
        name = where.hostname or ""
    except ValueError:
        return False  # no origin that a browser sends
    if settings.is_local and not settings.host_names and not is_loopback(name):
        return False  # a foreign name that was pointed at this machine
    return bool(where.netloc) and where.netloc.lower() == headers.get("host", "").lower()


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
