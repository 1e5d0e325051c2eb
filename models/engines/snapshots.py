"""Where a stream was when it was marked, so that it can be rewound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from models.base import Mark, UnknownMark

State = TypeVar("State")
KEPT = 16  # marks of a stream; older ones are forgotten


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[State]):
    """The state of a stream, and how many tokens its prompt had."""

    state: State
    length: int


class Snapshots(Generic[State]):
    """The marked places of one stream, oldest first."""

    def __init__(self) -> None:
        self._places: dict[int, Snapshot[State]] = {}
        self._marked = 0

    def keep(self, place: Snapshot[State]) -> Mark:
        self._marked += 1
        self._places[self._marked] = place
        for old in list(self._places)[:-KEPT]:
            del self._places[old]
        return Mark(position=place.length, key=self._marked)

    def back_to(self, mark: Mark) -> Snapshot[State]:
        """Forget what was marked later; the mark itself stays valid.

        Raises UnknownMark.
        """
        place = self._places.get(mark.key)
        if place is None or place.length != mark.position:
            raise UnknownMark(f"{mark} is not a mark of this stream, or was rewound over")
        self._places = {key: at for key, at in self._places.items() if key <= mark.key}
        return place
