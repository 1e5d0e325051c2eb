"""A stream that comes to know the conversation, whatever it knew before.

One mechanism for everything that changes the past: a cut answer, forgotten noise, an answer that
the other instance gave, an edited item. A stream remembers the keys of the context entries that it
has read and its mark before each; to sync, it rewinds to the first difference and reads the rest.
`StreamContext` plans that and is pure; `SyncedStream` carries it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby

from duplex.conversation import ContextEntry, OutdatedPicture, SpokenTurn
from duplex.playout import AudioStore
from models.base import (
    AssistantText,
    Conversation,
    Instance,
    Instructions,
    Mark,
    OutOfRoom,
    Stream,
    UnknownMark,
    UserImage,
)
from models.capabilities import FRAMES_READ, capabilities_of

# A stream with less of its capacity left is opened afresh from the last entries.
MIN_ROOM = 0.2
ENTRIES_KEPT = 8
# What is left for a question and its answer when a stream has read several entries.
LEAST_ROOM = 0.1
# Whatever an engine does, opening a stream or reading one item never takes longer.
WORK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Rewind to `mark` (None: stay), then read `entries`; `is_fresh`: only a new stream will do."""

    mark: Mark | None
    entries: tuple[ContextEntry, ...]
    is_fresh: bool = False


@dataclass(slots=True)
class StreamContext:
    """What one stream knows. `base` is the key before which it has forgotten the conversation.
    `own_answer` is its own last answer, whole, with the mark before it; what follows the mark
    `unconfirmed` is in the stream but not, or not yet, part of the conversation. Of frames of a
    video in a row it is given at most `frames`."""

    read: list[tuple[str, Mark]] = field(default_factory=list)
    base: str | None = None
    own_answer: tuple[str, Mark] | None = None
    unconfirmed: Mark | None = None
    frames: int = FRAMES_READ

    def add(self, key: str, before: Mark) -> None:
        """The stream has read this entry, from the mark `before` on."""
        self.read.append((key, before))

    def plan(self, context: Sequence[ContextEntry]) -> SyncPlan:
        """The shortest way to know exactly this context."""
        start = self._start(context)
        if start is None:
            return SyncPlan(None, tuple(context), is_fresh=True)
        entries = context[start:]
        known, agreed = self._agreed(entries)
        if known == len(self.read):
            known, agreed = self._adopt_own_answer(entries, known, agreed)
        mark = self.read[known][1] if known < len(self.read) else self.unconfirmed
        return SyncPlan(mark, readable(entries[agreed:], self.frames))

    def rewound(self, mark: Mark) -> None:
        """The stream has been rewound to this mark: forget what went with it."""
        self.read = [entry for entry in self.read if entry[1].position < mark.position]
        self.unconfirmed = self.own_answer = None

    def _start(self, context: Sequence[ContextEntry]) -> int | None:
        if self.base is None:
            return 0
        for index, entry in enumerate(context):
            if entry.key == self.base:
                return index
        return None

    def _agreed(self, entries: Sequence[ContextEntry]) -> tuple[int, int]:
        """How many read entries still hold, and how many entries of the context they stand for."""
        known = agreed = 0
        while known < len(self.read):
            key = self.read[known][0]
            place = _after_frames(entries, agreed, _with(key))
            if place is None:
                break
            known, agreed = known + 1, place + 1
        return known, agreed

    def _adopt_own_answer(
        self, entries: Sequence[ContextEntry], known: int, agreed: int
    ) -> tuple[int, int]:
        """Take this stream's own answer as read where the context has it whole: it is in the stream
        already."""
        if self.own_answer is None:
            return known, agreed
        text, mark = self.own_answer
        place = _after_frames(entries, agreed, lambda entry: entry.content == AssistantText(text))
        if place is None:
            return known, agreed
        self.add(entries[place].key, mark)
        self.own_answer = self.unconfirmed = None
        return known + 1, place + 1


def _after_frames(
    entries: Sequence[ContextEntry], start: int, is_it: Callable[[ContextEntry], bool]
) -> int | None:
    """The place of an entry, when nothing but frames of a video that may be missed is before it."""
    for place in range(start, len(entries)):
        if is_it(entries[place]):
            return place
        if not _may_be_missed(entries[place]):
            return None
    return None


def _with(key: str) -> Callable[[ContextEntry], bool]:
    return lambda entry: entry.key == key


def _is_frame(entry: ContextEntry) -> bool:
    return isinstance(entry.content, UserImage) and entry.content.is_frame


def _may_be_missed(entry: ContextEntry) -> bool:
    """True for a picture that a stream need not rewind for if it has gone on without it."""
    return isinstance(entry.content, OutdatedPicture) or _is_frame(entry)


def ends_spoken(context: Sequence[ContextEntry]) -> bool:
    """True if the last that was said is a spoken turn of the user; pictures may follow it."""
    said = (e for e in reversed(context) if not isinstance(e.content, UserImage | OutdatedPicture))
    last = next(said, None)
    return last is not None and isinstance(last.content, SpokenTurn)


def readable(
    context: Sequence[ContextEntry], frames: int = FRAMES_READ
) -> tuple[ContextEntry, ...]:
    """What a stream is to read: no outdated pictures, and at most `frames` of a row of frames."""
    there = [entry for entry in context if not isinstance(entry.content, OutdatedPicture)]
    rows = [(are_frames, tuple(row)) for are_frames, row in groupby(there, _is_frame)]
    kept = (
        [row[place] for place in sampled_frames(len(row), frames)] if are_frames else row
        for are_frames, row in rows
    )
    return tuple(chain.from_iterable(kept))


def sampled_frames(count: int, most: int) -> list[int]:
    """Which of `count` frames in a row are read, at most `most` (two or more): the first, the
    last, and what lies evenly between."""
    if count <= most:
        return list(range(count))
    step = (count - 1) / (most - 1)
    return [round(place * step) for place in range(most)]


def last_entries(
    context: Sequence[ContextEntry], count: int, frames: int = FRAMES_READ
) -> tuple[ContextEntry, ...]:
    """The readable tail of a context, beginning with something the user said or showed: at least
    `count` entries beside the frames."""
    entries = readable(context, frames)
    places = [place for place, entry in enumerate(entries) if not _is_frame(entry)]
    start = places[-count] if len(places) > count else 0
    while start > 0 and isinstance(entries[start].content, AssistantText):
        start -= 1
    return entries[start:]


def _shorter(opening: Conversation) -> Conversation:
    """Without the older half of what was said. Raises OutOfRoom where that leaves nothing."""
    said = [item for item in opening.items if not isinstance(item, Instructions)]
    if len(said) < 2:
        raise OutOfRoom("the conversation does not fit")
    dropped = {id(item) for item in said[: len(said) // 2]}
    return replace(opening, items=tuple(i for i in opening.items if id(i) not in dropped))


class SyncedStream:
    """Opens a stream of `instance` when it is first needed, and again when it was lost.

    `opening` gives what a fresh stream has to know before the conversation.
    """

    def __init__(
        self, instance: Instance, opening: Callable[[], Conversation], audio_store: AudioStore
    ) -> None:
        self._instance = instance
        self._frames = capabilities_of(instance).frames
        self.context = StreamContext(frames=self._frames)
        self._opening = opening
        self._audio_store = audio_store
        self._stream: Stream | None = None
        self._sizes: dict[str, int] = {}  # tokens of the entries that were read, by key

    @property
    def is_open(self) -> bool:
        """False before the first use, and after the stream was given back or lost."""
        return self._stream is not None

    async def ready(self) -> Stream:
        """The open stream. Of an opening that is too long the oldest that was said is left out.
        Raises OutOfRoom when not even the last of it fits."""
        if self._stream is None:
            opening = self._opening()
            while self._stream is None:
                try:
                    async with asyncio.timeout(WORK_TIMEOUT_S):
                        self._stream = await self._instance.open(opening)
                except OutOfRoom:
                    opening = _shorter(opening)
        return self._stream

    async def sync(self, context: tuple[ContextEntry, ...]) -> bool:
        """Come to know this context, or as much of its end as there is room for; True if anything
        had to be read. Raises OutOfRoom when not even the last entry fits."""
        entries, kept = await self._rewind(context), len(readable(context, self._frames))
        while True:
            try:
                await self._read(entries)
                return bool(entries)
            except OutOfRoom:
                kept = min(self._num_fitting(context), kept - 1 - kept // 8)
                if kept < 1:
                    raise
                entries = await self._begin_afresh(context, kept)

    async def _read(self, entries: tuple[ContextEntry, ...]) -> None:
        """Raises OutOfRoom where too little room is left behind several entries, too."""
        stream = await self.ready()
        for entry in entries:
            before, room = await stream.mark(), stream.room()
            async with asyncio.timeout(WORK_TIMEOUT_S):
                await stream.read(self._audio_store.resolve(entry.content))
            self.context.add(entry.key, before)
            self._sizes[entry.key] = room - stream.room()
        if entries and len(self.context.read) > 1:
            if stream.room() < LEAST_ROOM * self._instance.capacity():
                raise OutOfRoom(f"{stream.room()} tokens are left")

    def _num_fitting(self, context: Sequence[ContextEntry]) -> int:
        """How many entries from the end of a context fit, as far as their sizes are known; those
        that are not known are taken to be as long as the others are on the average."""
        keys = [entry.key for entry in readable(context, self._frames)]
        self._sizes = {key: self._sizes[key] for key in keys if key in self._sizes}
        usual = sum(self._sizes.values()) / len(self._sizes) if self._sizes else 0.0
        left = (1 - MIN_ROOM) * self._instance.capacity()
        for count, key in enumerate(reversed(keys)):
            left -= self._sizes.get(key, usual)
            if left < 0:
                return count
        return len(keys)

    async def drop_unconfirmed(self) -> None:
        """Forget what is in the stream but not part of the conversation."""
        if self.context.unconfirmed is not None:
            await self.rewind(self.context.unconfirmed)

    async def rewind(self, before: Mark) -> None:
        """Forget everything after this mark, which is no older than the last entry read."""
        stream = await self.ready()
        await stream.rewind(before)
        self.context.unconfirmed = self.context.own_answer = None

    async def close(self) -> None:
        """Give the stream back; the next use opens a fresh one that knows nothing."""
        stream, self._stream = self._stream, None
        self.context = StreamContext(frames=self._frames)
        if stream is not None:
            await stream.close()

    async def _rewind(self, context: tuple[ContextEntry, ...]) -> tuple[ContextEntry, ...]:
        """Go back to where stream and context agree; what is to be read from there."""
        if self._stream is None:
            return await self._begin_afresh(context)
        stream, plan = self._stream, self.context.plan(context)
        if stream.room() < MIN_ROOM * self._instance.capacity():
            return await self._begin_afresh(context, ENTRIES_KEPT)
        if plan.is_fresh:
            return await self._begin_afresh(context)
        if plan.mark is not None:
            try:
                await stream.rewind(plan.mark)
            except UnknownMark:  # a mark that the stream no longer keeps
                return await self._begin_afresh(context)
            self.context.rewound(plan.mark)
        return plan.entries

    async def _begin_afresh(
        self, context: tuple[ContextEntry, ...], kept: int | None = None
    ) -> tuple[ContextEntry, ...]:
        """Take a stream that knows nothing yet; give what it is to read: all of the context, or
        the last `kept` entries where there is no room for all."""
        await self.close()
        whole = readable(context, self._frames)
        entries = whole if kept is None else last_entries(context, kept, self._frames)
        is_all = not entries or entries[0].key == whole[0].key
        self.context = StreamContext(base=None if is_all else entries[0].key, frames=self._frames)
        return entries
