"""server.resume: what a client shows to get its conversation back, and how it may carry it.

A token is the name of the server that gave it (so that a balancer can find that one again), a dot,
and a secret. It is kept nowhere: the store knows a conversation by a digest of the secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.datastructures import Headers

from server.admission import Denied

HEADER = "x-antiphon-resume"
PARAMETER = "resume"
PROTOCOL = "antiphon-resume."
_SECRET_BYTES = 32
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class ResumeToken:
    """`value` is what the client is given; it appears in no log and no repr."""

    value: str = field(repr=False)

    @property
    def place(self) -> str:
        """Where the store keeps the conversation."""
        return sha256(b"antiphon resume " + self.value.encode()).hexdigest()


def new_token(server: str) -> ResumeToken:
    return ResumeToken(f"{server or 'any'}.{secrets.token_urlsafe(_SECRET_BYTES)}")


def presented_token(
    query: Mapping[str, str], headers: Headers, subprotocols: Iterable[str]
) -> ResumeToken | None:
    """The token in a request: query, header, or a browser's subprotocol. Raises Denied where it
    cannot be one."""
    value = query.get(PARAMETER) or headers.get(HEADER)
    for protocol in subprotocols:
        if value is None and protocol.startswith(PROTOCOL):
            value = protocol.removeprefix(PROTOCOL)
    if value is None:
        return None
    if not (value.isascii() and value.isprintable() and len(value) <= _LONGEST):
        raise Denied(400, "resume", "The resume token is malformed.", code="resume_token_invalid")
    return ResumeToken(value)
