"""How far one stream agrees with the conversation, and what it must do to agree again (pure).

One mechanism for everything that changes the past: a cut answer, forgotten noise, an answer that
the other instance gave, an edited item. A stream remembers the journal keys that it has read and
its mark before each; to agree it rewinds to the first difference and reads the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from duplex.conversation import Note
from models.base import AssistantText, Mark


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
        agreed = self._agreed(notes)
        if agreed == len(self.read):
            agreed = self._adopt_own_answer(notes, agreed)
        mark = self.read[agreed][1] if agreed < len(self.read) else self.dirty
        return Plan(mark, tuple(notes[agreed:]))

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

    def _agreed(self, notes: Sequence[Note]) -> int:
        count = 0
        for (key, _), note in zip(self.read, notes, strict=False):
            if key != note.key:
                break
            count += 1
        return count

    def _adopt_own_answer(self, notes: Sequence[Note], agreed: int) -> int:
        """What this stream has said itself, whole, it need not read."""
        if self.said is None or agreed >= len(notes):
            return agreed
        text, mark = self.said
        if notes[agreed].content != AssistantText(text):
            return agreed
        self.note(notes[agreed].key, mark)
        self.said = self.dirty = None
        return agreed + 1


def last_turns(journal: Sequence[Note], count: int) -> tuple[Note, ...]:
    """The tail of a journal, beginning with something the user said, at least `count` notes."""
    start = max(0, len(journal) - count)
    while start > 0 and isinstance(journal[start].content, AssistantText):
        start -= 1
    return tuple(journal[start:])
