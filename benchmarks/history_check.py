"""Does the history hold exactly the words that were heard?

The words that belong to a moment are taken from a second, undisturbed call of the same question,
whose answer is truncated there; so the caller's own clock is the truth, not the server's.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from benchmarks.driver import CallerLine, together
from benchmarks.scene import Trial
from server.call.caller import Caller
from server.call.conversation import CallFailed
from server.call.record import CallRecord
from server.call.timeline import RATE

_BEFORE_THE_ANSWER = 8.0  # seconds that a question and its answer's beginning may take


@dataclass(frozen=True, slots=True)
class HistoryCut:
    """An interrupted answer: what was played of it and what the server remembers."""

    question: str
    manner: str
    played_ms: int
    kept: tuple[str, ...]


@dataclass(slots=True)
class HistoryChecks:
    """Collects cuts while calls are made, and judges them afterwards, question by question."""

    found: dict[str, list[HistoryCut]] = field(default_factory=lambda: defaultdict(list))
    trials: dict[str, Trial] = field(default_factory=dict)
    uncut: int = 0

    async def take(self, trial: Trial, record: CallRecord, caller: Caller) -> None:
        """Ask the server what it remembers of this call's interrupted answer."""
        cut = next((a for a in record.answers if a.reason == "turn_detected" and a.played), None)
        if cut is None or cut.item_id is None:
            self.uncut += 1
            return
        name = trial.question
        kept = transcript(await caller.retrieve(cut.item_id))
        played = round(sum(len(piece.samples) for piece in cut.played) * 1000 / RATE)
        self.trials.setdefault(name, trial)
        self.found[name].append(HistoryCut(name, trial.group, played, kept))

    async def judge(self, line: CallerLine) -> list[dict[str, Any]]:
        """One outcome for each trial, from one undisturbed call for each question."""
        outcomes: list[dict[str, Any]] = [{"was_cut": False}] * self.uncut
        for found in await together(self._judge(line, name) for name in self.found):
            outcomes += found
        return outcomes

    async def _judge(self, line: CallerLine, name: str) -> list[dict[str, Any]]:
        cuts = self.found[name]
        longest = max(cut.played_ms for cut in cuts) / 1000
        alone = self.trials[name].alone(longest + _BEFORE_THE_ANSWER)
        try:
            async with Caller(line.url, alone, key=line.key, model=line.model) as caller:
                return await self._compare(caller, await caller.run(), cuts)
        except CallFailed as failure:
            lost = {"was_cut": True, "no_reference": True, "why": str(failure)}
            return [{"group": cut.manner} | lost for cut in cuts]

    async def _compare(
        self, caller: Caller, record: CallRecord, cuts: list[HistoryCut]
    ) -> list[dict[str, Any]]:
        answer = next((one for one in record.answers if one.item_id is not None), None)
        if answer is None or answer.item_id is None:
            raise CallFailed("the reference call got no answer")
        outcomes = []
        # A truncation cannot be undone, so from the latest cut to the earliest.
        for cut in sorted(cuts, key=lambda one: -one.played_ms):
            message = {
                "type": "conversation.item.truncate",
                "item_id": answer.item_id,
                "content_index": 0,
                "audio_end_ms": cut.played_ms,
            }
            await caller.ask(message, "conversation.item.truncated")
            heard = transcript(await caller.retrieve(answer.item_id))
            outcomes.append(outcome(cut, heard))
        return outcomes


def outcome(cut: HistoryCut, heard: tuple[str, ...]) -> dict[str, Any]:
    """`difference`: words kept too many (above zero) or too few; `same_words`: the common part
    agrees."""
    common = min(len(cut.kept), len(heard))
    difference = len(cut.kept) - len(heard)
    same = cut.kept[:common] == heard[:common]
    return {
        "group": cut.manner,
        "was_cut": True,
        "within_one_word": same and abs(difference) <= 1,
        "exact": same and difference == 0,
        "same_words": same,
        "difference": float(difference),
    }


def transcript(item: dict[str, Any]) -> tuple[str, ...]:
    """The words of an assistant item as the server keeps it."""
    parts = item.get("content", [])
    return tuple(" ".join(str(part.get("transcript") or "") for part in parts).split())
