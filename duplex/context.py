"""How far one stream agrees with the conversation, and what it must do to agree again (pure).

One mechanism for everything that changes the past: a cut answer, forgotten noise, an answer that
the other instance gave, an edited item. A stream remembers the journal keys that it has read and
its mark before each; to agree it rewinds to the first difference and reads the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby

from duplex.conversation import Heard, Note, Outdated
from models.base import AssistantText, Mark, UserImage

FRAMES_READ = 4  # of frames of a video in a row, as VITA samples them


@dataclass(frozen=True, slots=True)
class Plan:
    """Rewind to `mark` (None: stay), then read `notes`; `is_fresh`: only a new stream will do."""

    mark: Mark | None
    notes: tuple[Note, ...]
    is_fresh: bool = False


@dataclass(slots=True)
class StreamContext:
    """What one stream knows. `base` is the key before which it has forgotten the conversation."""

    read: list[tuple[str, Mark]] = field(default_factory=list)
    base: str | None = None
    said: tuple[str, Mark] | None = None  # its own last answer, whole, and the mark before it
    dirty: Mark | None = None  # something after this mark does not count (yet)

    def note(self, key: str, before: Mark) -> None:
        self.read.append((key, before))

    def plan(self, journal: Sequence[Note]) -> Plan:
        """The shortest way to know exactly this journal."""
        start = self._start(journal)
        if start is None:
            return Plan(None, tuple(journal), is_fresh=True)
        notes = journal[start:]
        known, agreed = self._agreed(notes)
        if known == len(self.read):
            known, agreed = self._adopt_own_answer(notes, known, agreed)
        mark = self.read[known][1] if known < len(self.read) else self.dirty
        return Plan(mark, readable(notes[agreed:]))

    def obey(self, plan: Plan) -> None:
        """The stream has been rewound as planned: forget what went with it."""
        if plan.mark is not None:
            self.read = [entry for entry in self.read if entry[1].position < plan.mark.position]
            self.dirty = self.said = None

    def _start(self, journal: Sequence[Note]) -> int | None:
        if self.base is None:
            return 0
        for index, note in enumerate(journal):
            if note.key == self.base:
                return index
        return None

    def _agreed(self, notes: Sequence[Note]) -> tuple[int, int]:
        """How many entries were read that still hold, and how many notes they stand for."""
        known = agreed = 0
        while known < len(self.read):
            key = self.read[known][0]
            place = _after_frames(notes, agreed, _with(key))
            if place is None:
                break
            known, agreed = known + 1, place + 1
        return known, agreed

    def _adopt_own_answer(self, notes: Sequence[Note], known: int, agreed: int) -> tuple[int, int]:
        """What this stream has said itself, whole, it need not read."""
        if self.said is None:
            return known, agreed
        text, mark = self.said
        place = _after_frames(notes, agreed, lambda note: note.content == AssistantText(text))
        if place is None:
            return known, agreed
        self.note(notes[place].key, mark)
        self.said = self.dirty = None
        return known + 1, place + 1


def _after_frames(notes: Sequence[Note], start: int, is_it: Callable[[Note], bool]) -> int | None:
    """The place of a note, when nothing but frames of a video that may be missed is before it."""
    for place in range(start, len(notes)):
        if is_it(notes[place]):
            return place
        if not may_be_missed(notes[place]):
            return None
    return None


def _with(key: str) -> Callable[[Note], bool]:
    return lambda note: note.key == key


def is_frame(note: Note) -> bool:
    return isinstance(note.content, UserImage) and note.content.is_frame


def may_be_missed(note: Note) -> bool:
    """Is it a picture that a stream which has gone on without it need not go back for?"""
    return isinstance(note.content, Outdated) or is_frame(note)


def ends_spoken(notes: Sequence[Note]) -> bool:
    """Is the last that was said a spoken turn of the user? Pictures may have come after it."""
    said = (n for n in reversed(notes) if not isinstance(n.content, UserImage | Outdated))
    last = next(said, None)
    return last is not None and isinstance(last.content, Heard)


def readable(notes: Sequence[Note]) -> tuple[Note, ...]:
    """What a stream is to read: no outdated pictures, and of each row of frames only some."""
    there = [note for note in notes if not isinstance(note.content, Outdated)]
    rows = [(are_frames, tuple(row)) for are_frames, row in groupby(there, is_frame)]
    kept = (_spread(row) if are_frames else row for are_frames, row in rows)
    return tuple(chain.from_iterable(kept))


def _spread(row: tuple[Note, ...]) -> Sequence[Note]:
    """At most FRAMES_READ of a row: the first, the last, and what lies evenly between."""
    if len(row) <= FRAMES_READ:
        return row
    step = (len(row) - 1) / (FRAMES_READ - 1)
    return [row[round(place * step)] for place in range(FRAMES_READ)]


def last_turns(journal: Sequence[Note], count: int) -> tuple[Note, ...]:
    """The readable tail of a journal, beginning with something the user said or showed: at least
    `count` notes beside the frames."""
    notes = readable(journal)
    places = [place for place, note in enumerate(notes) if not is_frame(note)]
    start = places[-count] if len(places) > count else 0
    while start > 0 and isinstance(notes[start].content, AssistantText):
        start -= 1
    return notes[start:]
