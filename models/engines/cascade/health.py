"""How the requests to a language model's address went, and if it is well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

from models.base import AnswerUnavailable

# completed, or cancelled by us; no connection; no answer in time; refused (4xx); busy or out of
# quota (429, 503); an error of its own (5xx); no completion; no end; nothing said.
Outcome: TypeAlias = Literal[
    "completed",
    "cancelled",
    "unreachable",
    "slow",
    "refused",
    "busy",
    "broken",
    "rubbish",
    "cut_off",
    "empty",
]


class ReplyFailed(AnswerUnavailable):
    """A request for a reply failed. `detail` is for the operator and not for the client;
    `retry_after`: seconds after which the address says it may be asked again."""

    def __init__(
        self,
        outcome: Outcome,
        reason: str,
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome
        self.detail = detail
        self.retry_after = retry_after


class EndpointHealth:
    """What the last request to an address says about it. `observe` is told of every outcome;
    `well` is set while there is no trouble."""

    def __init__(self) -> None:
        self.trouble: str | None = None  # why the address cannot be used at the moment
        self.observe: Callable[[str], None] = lambda _: None
        self.well = asyncio.Event()
        self.well.set()

    def succeeded(self) -> None:
        self.recovered()
        self.observe("completed")

    def cancelled(self) -> None:
        self.observe("cancelled")

    def failed(self, failure: ReplyFailed) -> None:
        self.troubled(failure)
        self.observe(failure.outcome)

    def troubled(self, failure: ReplyFailed) -> None:
        """It cannot be used; this alone is no request that somebody waited for."""
        self.trouble = failure.reason
        self.well.clear()

    def recovered(self) -> None:
        self.trouble = None
        self.well.set()
