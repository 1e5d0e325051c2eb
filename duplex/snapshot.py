"""A conversation as another server can go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from audio.frame import Samples
from duplex.conversation import SpokenTurn, Turn
from duplex.core import SessionState
from duplex.events import ConversationResumed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`resumed` is what a session is told to go on with it. `sounds` are the spoken turns of the
    user, [n] at 16 kHz, by item id. `cut` names the answer that played, `unanswered` the user's
    turn that no answer had followed."""

    resumed: ConversationResumed
    sounds: Mapping[str, Samples] = field(default_factory=dict)
    cut: str | None = None
    unanswered: str | None = None


def turns_heard(state: SessionState, now: float) -> tuple[Turn, ...]:
    """Copies of all turns; an answer that plays at session time `now` is cut where it was heard."""
    return tuple(_copy(turn, state, now) for turn in state.conversation.turns)


def _copy(turn: Turn, state: SessionState, now: float) -> Turn:
    copy = replace(turn, wire=dict(turn.wire))
    if turn.item_id == playing(state):
        current = state.responses.current
        assert current is not None
        copy.heard = current.clock.heard(now)
        copy.wire["status"] = "incomplete"
    return copy


def playing(state: SessionState) -> str | None:
    """The item of the answer that plays."""
    current = state.responses.current
    return None if current is None or current.is_held_back else current.item_id


def unanswered(state: SessionState) -> str | None:
    """The last turn, if it is the user's and was spoken."""
    last = state.conversation.turns[-1] if state.conversation.turns else None
    is_spoken = last is not None and any(isinstance(part, SpokenTurn) for part in last.parts)
    return last.item_id if last is not None and is_spoken else None
