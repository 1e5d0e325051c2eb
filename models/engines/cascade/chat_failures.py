"""What went wrong with a request to a language model's address, in words for the client and, beside
them, in words for the operator. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from models.engines.cascade.health import Outcome, ReplyFailed

LONGEST_DETAIL = 300  # letters of what an address says about an error
_REASONS = {
    400: "the language model's address does not take the request",
    401: "the language model's address refuses the key",
    403: "the language model's address refuses the key",
    404: "the language model's address does not know the model",
    413: "the conversation is too long for the language model's address",
    429: "the language model's address is out of quota, or asked too often",
    503: "the language model's address is busy",
}


def failed_transport(error: Exception) -> ReplyFailed:
    """The failure behind an error of the connection."""
    detail = f"{type(error).__name__}: {error}"[:LONGEST_DETAIL]
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ReplyFailed("unreachable", "the language model's address cannot be reached", detail)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return ReplyFailed("slow", "the language model did not answer in time", detail)
    return ReplyFailed("cut_off", "the connection to the language model broke off", detail)


def failed_response(response: httpx.Response, text: str, key: str = "") -> ReplyFailed:
    """The failure behind a response that is an error; its `text` without the key is the detail."""
    status = response.status_code
    kind: Outcome = "refused"
    if status in (429, 503):
        kind = "busy"
    elif status >= 500:
        kind = "broken"
    default = "the language model's address has an error of its own"
    reason = _REASONS.get(status, default if kind == "broken" else _REASONS[400])
    detail = _message_in(text)
    if key:
        detail = detail.replace(key, "***")
    wait = seconds_to_wait(response.headers) if kind == "busy" else None
    if wait is not None:
        reason += f"; it says to ask again in {wait:.0f} s"
    return ReplyFailed(kind, f"{reason} ({status})", detail[:LONGEST_DETAIL], wait)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What Retry-After says, as seconds or as a date; None where it says nothing of use."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value[:6])
    try:
        at = parsedate_to_datetime(value)
        sent = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return max(0.0, (at - sent).total_seconds())


def _message_in(text: str) -> str:
    """The message inside an error's JSON; the text itself where there is none."""
    try:
        content: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    error = content.get("error", content) if isinstance(content, dict) else content
    if isinstance(error, dict):
        error = error.get("message", error)
    return str(error)
