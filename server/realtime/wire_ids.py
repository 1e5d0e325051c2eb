"""The ids that one session has sent to its client; both directions read and write them.

The core counts answers and names items; the wire wants unique strings, and comes back with them.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

from duplex.conversation import Turn
from models.base import UserImage
from server.realtime.budget import Cost, SessionBudget
from server.realtime.images import KEPT_IMAGES


class WireIds:
    """`token` makes this session's names unique; `budget` is charged for what the client puts in
    and refunded for what is refused or deleted."""

    def __init__(self, token: str, budget: SessionBudget | None = None) -> None:
        self.budget = budget or SessionBudget()
        self.session_id = f"sess_{token}"
        self.conversation_id = f"conv_{token}"
        self.voice_spoken = False  # once it was heard, the voice is fixed
        self._token = token
        self._events = count(1)
        self._answers: dict[str, int] = {}  # item id -> number of the answer it holds
        # Of items that are nothing but images; a dict for its order and its index.
        self._pictures: dict[str, None] = {}
        self._offered: deque[_Offer] = deque()  # on which the core has not decided yet

    # ---------------------------------------------------------------------------- names

    def new_event_id(self) -> str:
        return f"event_{self._token}_{next(self._events)}"

    def new_item_id(self) -> str:
        """For an item that the client put in without a name of its own. Nobody can have taken it:
        it cannot be guessed."""
        return f"item_{self._token}_{secrets.token_hex(6)}"

    def response_name(self, response_id: int) -> str:
        return f"resp_{self._token}_{response_id}"

    def response_number(self, name: str) -> int | None:
        """The answer of that wire id; None for a name that this session never gave."""
        head, _, number = name.rpartition("_")
        is_ours = head == f"resp_{self._token}" and number.isdecimal() and number.isascii()
        return int(number) if is_ours and len(number) < 10 else None

    # ---------------------------------------------------------------------------- items

    def note_answer(self, item_id: str, response_id: int) -> None:
        self._answers[item_id] = response_id

    def answer_of(self, item_id: str) -> int | None:
        return self._answers.get(item_id)

    def offer(self, item_id: str, cost: Cost, parts: Sequence[Any] = ()) -> list[str]:
        """The client puts an item in; the core takes or refuses the offers in their order. Gives
        the ids of pictures that are one too many now."""
        is_new_picture = item_id not in self._pictures and _is_picture(parts)
        self._offered.append(_Offer(item_id, cost, is_new_picture))
        self.budget.charge(cost)
        return self._note_picture(item_id) if is_new_picture else []

    def accept_offer(self, item_id: str) -> None:
        """An item is in the conversation: perhaps the oldest of those that were offered."""
        if self._offered and self._offered[0].item_id == item_id:
            offer = self._offered.popleft()
            self.budget.assign(item_id, offer.cost)

    def refuse_offer(self) -> None:
        """The oldest offer was refused: nothing of it stays."""
        if self._offered:
            offer = self._offered.popleft()
            self.budget.release(offer.cost)
            if offer.is_new_picture:
                self._pictures.pop(offer.item_id, None)

    def restore(self, turns: Iterable[Turn]) -> None:
        """Take over the ids of a conversation that another session has had."""
        for turn in turns:
            if turn.response_id is not None:
                self.note_answer(turn.item_id, turn.response_id)
                self.voice_spoken |= bool(turn.words)
            elif _is_picture(turn.parts):
                self._note_picture(turn.item_id)

    def clear(self) -> None:
        """Forget every item, since the session is over."""
        self._answers.clear()
        self._pictures.clear()
        self._offered.clear()

    def forget(self, item_id: str) -> None:
        self._answers.pop(item_id, None)
        self._pictures.pop(item_id, None)
        self.budget.refund(item_id)

    def _note_picture(self, item_id: str) -> list[str]:
        """Count an item of images; give the ids of those that are one too many now."""
        self._pictures[item_id] = None
        surplus = list(self._pictures)[:-KEPT_IMAGES]
        for outdated in surplus:
            del self._pictures[outdated]
        return surplus


class _Offer(NamedTuple):
    """An item on its way to the core, and what has been counted for it."""

    item_id: str
    cost: Cost
    is_new_picture: bool


def _is_picture(parts: Sequence[Any]) -> bool:
    """Whether an item is nothing but images."""
    return bool(parts) and all(isinstance(part, UserImage) for part in parts)
