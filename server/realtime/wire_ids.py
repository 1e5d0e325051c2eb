"""The names that one session has given away, read and written by both directions.

The core counts answers and names items; the wire wants unique strings, and comes back with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

from models.base import Item, UserImage, UserSound
from server.realtime.images import KEPT_IMAGES

SoundOf = Callable[[str], UserSound | None]


class WireIds:
    """`token` makes this session's names unique; `sound_of` finds a spoken turn of the user."""

    def __init__(self, token: str, sound_of: SoundOf) -> None:
        self.session_id = f"sess_{token}"
        self.conversation_id = f"conv_{token}"
        self.voice_spoken = False  # once it was heard, the voice is fixed
        self._token = token
        self._sound_of = sound_of
        self._events = count(1)
        self._items = count(1)
        self._answers: dict[str, int] = {}  # item id -> number of the answer it holds
        self._parts: dict[str, tuple[Item, ...]] = {}
        self._pictures: deque[str] = deque()  # items that are nothing but images

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

    def note_parts(self, item_id: str, parts: tuple[Item, ...]) -> None:
        self._parts[item_id] = parts

    def parts_of(self, item_id: str) -> tuple[Item, ...] | None:
        """What a model reads for an item that is referred to by id; None: there is no such item."""
        if item_id in self._parts:
            return self._parts[item_id]
        sound = self._sound_of(item_id)
        return None if sound is None else (sound,)

    def forget(self, item_id: str) -> None:
        self._parts.pop(item_id, None)
        self._answers.pop(item_id, None)
        if item_id in self._pictures:
            self._pictures.remove(item_id)

    def note_pictures(self, item_id: str, parts: tuple[Item, ...]) -> list[str]:
        """Count an item of images; give the ids of those that are one too many now."""
        if not parts or not all(isinstance(part, UserImage) for part in parts):
            return []
        self._pictures.append(item_id)
        surplus = [self._pictures.popleft() for _ in range(len(self._pictures) - KEPT_IMAGES)]
        return surplus
