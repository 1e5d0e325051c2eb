"""The names that one session has given away, read and written by both directions.

The core counts answers and names items; the wire wants unique strings, and comes back with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple, cast

from duplex.conversation import SpokenTurn, Turn
from models.base import AssistantText, Item, UserImage, UserSound
from server.realtime.budget import Cost, SessionBudget
from server.realtime.images import KEPT_IMAGES

SoundOf = Callable[[str], UserSound | None]


class WireIds:
    """`token` makes this session's names unique; `sound_of` finds a spoken turn of the user;
    `budget` is charged for what the client puts in and refunded for what is deleted."""

    def __init__(self, token: str, sound_of: SoundOf, budget: SessionBudget | None = None) -> None:
        self.budget = budget or SessionBudget()
        self.session_id = f"sess_{token}"
        self.conversation_id = f"conv_{token}"
        self.voice_spoken = False  # once it was heard, the voice is fixed
        self._token = token
        self._sound_of = sound_of
        self._events = count(1)
        self._items = count(1)
        self._answers: dict[str, int] = {}  # item id -> number of the answer it holds
        self._parts: dict[str, tuple[Item, ...]] = {}
        # Of items that are nothing but images; a dict for its order and its index.
        self._pictures: dict[str, None] = {}
        self._offered: deque[_Offer] = deque()  # on which the core has not decided yet

    # ---------------------------------------------------------------------------- names

    def new_event_id(self) -> str:
        return f"event_{self._token}_{next(self._events)}"

    def new_item_id(self) -> str:
        """For an item that the client put in without a name of its own."""
        return f"item_{self._token}_given{next(self._items)}"

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

    def offer(self, item_id: str, parts: tuple[Item, ...], cost: Cost) -> None:
        """The client puts an item in; the core takes or refuses the offers in their order."""
        before = self._parts.get(item_id)
        self._offered.append(_Offer(item_id, before))
        if before is None:
            self._parts[item_id] = parts
            self.budget.charge(item_id, cost)

    def settle_offer(self, item_id: str | None = None) -> None:
        """The oldest offer is decided: taken as this item, or refused (None)."""
        if not self._offered or item_id not in (None, self._offered[0].item_id):
            return
        offer = self._offered.popleft()
        if item_id is None and offer.before is None:
            self.forget(offer.item_id)

    def note_parts(self, item_id: str, parts: tuple[Item, ...]) -> None:
        self._parts[item_id] = parts

    def parts_of(self, item_id: str) -> tuple[Item, ...] | None:
        """What a model reads for an item that is referred to by id; None: there is no such item."""
        if item_id in self._parts:
            return self._parts[item_id]
        sound = self._sound_of(item_id)
        return None if sound is None else (sound,)

    def restore(self, turns: Iterable[Turn]) -> None:
        """Names of a conversation that another session has had."""
        for turn in turns:
            if turn.response_id is not None:
                self.note_answer(turn.item_id, turn.response_id)
                said = AssistantText(turn.heard_text(), cut=turn.heard is not None)
                self.note_parts(turn.item_id, (said,))
                self.voice_spoken |= bool(turn.words)
            else:
                parts = tuple(p for p in turn.parts if not isinstance(p, SpokenTurn))
                if parts:
                    self.note_parts(turn.item_id, cast("tuple[Item, ...]", parts))
                    self.note_pictures(turn.item_id, cast("tuple[Item, ...]", parts))

    def clear(self) -> None:
        """Forget every item, since the session is over."""
        self._parts.clear()
        self._answers.clear()
        self._pictures.clear()
        self._offered.clear()

    def forget(self, item_id: str) -> None:
        self._parts.pop(item_id, None)
        self._answers.pop(item_id, None)
        self._pictures.pop(item_id, None)
        self.budget.refund(item_id)

    def note_pictures(self, item_id: str, parts: tuple[Item, ...]) -> list[str]:
        """Count an item of images; give the ids of those that are one too many now."""
        if not parts or not all(isinstance(part, UserImage) for part in parts):
            return []
        self._pictures[item_id] = None
        surplus = list(self._pictures)[:-KEPT_IMAGES]
        for outdated in surplus:
            del self._pictures[outdated]
        return surplus


class _Offer(NamedTuple):
    """An item on its way to the core. `before`: what an item of that name held already, so that an
    offer which must be refused changes nothing."""

    item_id: str
    before: tuple[Item, ...] | None
