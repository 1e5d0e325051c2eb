"""The server's own traces of the calls: is every segment accounted for?

The sum of the reasons must equal the number of segments, in every session, and today's core must do
the same again when the trace is replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.percentiles import distribution
from duplex import actions
from duplex.trace import Record, read_trace
from server.replay.rerun import rerun
from server.replay.story import swap_seconds


@dataclass(frozen=True, slots=True)
class SegmentAudit:
    """One session. `pending`: segments that were still open, or whose answer still ran, when the
    caller hung up."""

    opened: frozenset[int]
    decided: Counter[int]
    pending: frozenset[int]
    reasons: Counter[str]
    speculations: Counter[str]
    swaps: list[float]
    differences: int

    @property
    def is_balanced(self) -> bool:
        """Each segment has exactly one reason, unless the caller left before its end."""
        once = all(count == 1 for count in self.decided.values())
        return once and self.opened == set(self.decided) | self.pending


def account(records: Sequence[Record]) -> SegmentAudit:
    """The books of one trace."""
    made = [record.payload for record in records if record.direction == "action"]
    decisions = [action for action in made if isinstance(action, actions.Decide)]
    decided = Counter(decision.segment for decision in decisions)
    begun = {action.segment for action in made if isinstance(action, actions.BeginHearing)}
    # An echo is never heard as a segment of the user's; its decision is all there is of it.
    echoes = {one.segment for one in decisions if one.reason is actions.Reason.ECHO}
    return SegmentAudit(
        opened=frozenset(begun | echoes),
        decided=decided,
        pending=frozenset((begun - set(decided)) & _unsettled(made)),
        reasons=Counter(decision.reason.value for decision in decisions),
        speculations=_speculations(made),
        swaps=swap_seconds(records),
        differences=len(rerun(records)),
    )


def _unsettled(made: Sequence[Any]) -> set[int]:
    """Segments that may be undecided at the end: open ones, turns whose answer runs or waits."""
    begun = {action.segment for action in made if isinstance(action, actions.BeginHearing)}
    ended = {action.segment: action for action in made if isinstance(action, actions.EndHearing)}
    answers = {a.response_id: a.segment for a in made if isinstance(a, actions.StartAnswer)}
    over = {action.response_id for action in made if isinstance(action, actions.ResponseEnded)}
    over |= {a.response_id for a in made if isinstance(a, actions.CancelAnswer) and a.rewind}
    running = {segment for number, segment in answers.items() if number not in over}
    waiting = {segment for segment, end in ended.items() if end.item_id} - set(answers.values())
    return (begun - set(ended)) | {one for one in running if one is not None} | waiting


def _speculations(made: Sequence[Any]) -> Counter[str]:
    """What became of answers that were begun before the turn was over."""
    begun = {a.response_id for a in made if isinstance(a, actions.StartAnswer) and a.speculative}
    confirmed = {a.response_id for a in made if isinstance(a, actions.ConfirmAnswer)}
    dropped = {a.response_id for a in made if isinstance(a, actions.CancelAnswer) and a.rewind}
    return Counter(confirmed=len(begun & confirmed), dropped=len(begun & dropped))


def balance(folder: Path, sessions: Iterable[str]) -> dict[str, Any]:
    """The books of these sessions (as the wire names them), as far as they have traces."""
    paths = {name: folder / f"{name.removeprefix('sess_')}.jsonl" for name in sessions}
    books = {name: account(list(read_trace(at))) for name, at in paths.items() if at.is_file()}
    speculations: Counter[str] = sum((one.speculations for one in books.values()), Counter())
    reasons: Counter[str] = sum((one.reasons for one in books.values()), Counter())
    return {
        "sessions": len(books),
        "segments": sum(len(one.opened) for one in books.values()),
        "reasons": dict(sorted(reasons.items())),
        "pending_at_hang_up": sum(len(one.pending) for one in books.values()),
        "unbalanced": [name for name, one in books.items() if not one.is_balanced],
        "replayed_otherwise": [name for name, one in books.items() if one.differences],
        "speculations": dict(speculations),
        "swap": distribution([swap for one in books.values() for swap in one.swaps]),
    }
