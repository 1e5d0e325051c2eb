"""How many sessions this machine takes; it says no before the upgrade, with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from duplex.roles import Lease, NoCapacity, PairPool

RETRY_AFTER = 5  # seconds; a conversation ends some time, nobody knows when


class Denied(Exception):
    """A client is refused with plain HTTP. `reason` is the label of the metric."""

    def __init__(self, status: int, reason: str, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.code = code or reason

    def response(self) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER)} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self._body(), self.status, headers)

    def _body(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"type": kind, "code": self.code, "message": self.message, "param": None}}


@dataclass(slots=True)
class Admission:
    """Seats on the pairs. `pool` is None until the models are loaded."""

    pool: PairPool | None = None
    is_draining: bool = False

    @property
    def taken(self) -> int:
        return 0 if self.pool is None else self.pool.num_sessions

    @property
    def left(self) -> int:
        """Sessions that could be opened now."""
        return 0 if self.pool is None or self.is_draining else self.pool.room

    def take(self) -> Lease:
        """A lease; whoever gets it releases it. Raises Denied."""
        if self.is_draining:
            raise Denied(503, "draining", "The server is shutting down.")
        if self.pool is None:
            raise Denied(503, "loading", "The models are being loaded.")
        try:
            return self.pool.lease()
        except NoCapacity:
            message = f"All {self.pool.capacity} conversations of this server are taken."
            raise Denied(503, "capacity", message) from None
