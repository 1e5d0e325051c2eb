"""The books of one long conversation, kept while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.percentiles import distribution
from benchmarks.trend import Points, growth
from server.call.conversation import CallMachine
from server.call.latency import MeasuredTurn, turns
from server.call.record import errors


@dataclass(frozen=True, slots=True)
class Break:
    """The line broke at this second."""

    at: float
    reason: str


@dataclass(slots=True)
class _Open:
    """A call and how far its turns have been counted."""

    call: CallMachine
    began: float
    since: float = -1.0

    def settle(self, now: float) -> list[MeasuredTurn]:
        """The turns that have had their time to be answered, each given once."""
        found: list[MeasuredTurn] = []
        for turn in turns(self.call.account(now, self.since)):
            if turn.last_voiced + self.call.script.patience > now:
                break
            found.append(turn)
        if found:
            self.since = found[-1].first_voiced
        return found


@dataclass(slots=True)
class SoakLog:
    """What a conversation has come to so far, in as many calls as it took. All times are seconds
    since its beginning."""

    calls: list[_Open] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    turns: list[MeasuredTurn] = field(default_factory=list)

    def begin(self, call: CallMachine, now: float) -> None:
        """A call has begun."""
        self.calls.append(_Open(call, now))

    def settle(self, now: float) -> None:
        """Count the turns of the latest call that have had their time."""
        if self.calls:
            latest = self.calls[-1]
            for turn in latest.settle(now - latest.began):
                self.turns.append(_later(turn, latest.began))

    def break_off(self, now: float, reason: str) -> None:
        """The latest call, or the attempt to make one, has failed."""
        self.settle(now)
        self.breaks.append(Break(now, reason))

    def report(self, now: float, memory: Points) -> dict[str, Any]:
        """All figures as they stand."""
        delays = [(turn.last_voiced, turn.response) for turn in self.turns if turn.response]
        accounts = [one.call.account(now, now) for one in self.calls]
        complaints = [error for one in self.calls for error in errors(one.call.happenings)]
        return {
            "seconds": now,
            "calls": len(self.calls),
            "breaks": [{"at": one.at, "reason": one.reason} for one in self.breaks],
            "turns": len(self.turns),
            "unanswered_turns": [turn.name for turn in self.turns if not turn.answered],
            "response": distribution([delay for _, delay in delays]),
            "delay_growth_s": growth(delays),
            "memory_growth_mib": growth(memory),
            "errors": complaints,
            "underruns": sum(account.underruns for account in accounts),
            "driver": {
                "late_frames": sum(account.lateness.late for account in accounts),
                "worst_ms": max((a.lateness.worst for a in accounts), default=0.0) * 1000,
            },
            "memory_mib": list(memory),
            "delays_s": delays,
        }


def _later(turn: MeasuredTurn, seconds: float) -> MeasuredTurn:
    return replace(
        turn,
        first_voiced=turn.first_voiced + seconds,
        last_voiced=turn.last_voiced + seconds,
    )
