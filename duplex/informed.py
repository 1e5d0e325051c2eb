"""A stream that can be told what the conversation is, whatever it knew before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from duplex.context import StreamContext, last_turns
from duplex.conversation import Note
from duplex.sounds import Sounds
from models.base import Conversation, Instance, Mark, OutOfRoom, Stream, UnknownMark

# A stream with less room than this is opened afresh from the last turns.
LEAST_ROOM = 0.2
NOTES_KEPT = 8
# Whatever an engine does, opening or reading one item never takes longer.
WORK_PATIENCE = 30.0


class InformedStream:
    """Opens a stream of `instance` when it is first needed, and again when it was lost."""

    def __init__(
        self, instance: Instance, opening: Callable[[], Conversation], sounds: Sounds
    ) -> None:
        self.context = StreamContext()
        self._instance = instance
        self._opening = opening
        self._sounds = sounds
        self._stream: Stream | None = None

    async def ready(self) -> Stream:
        """The open stream."""
        if self._stream is None:
            async with asyncio.timeout(WORK_PATIENCE):
                self._stream = await self._instance.open(self._opening())
        return self._stream

    async def agree(self, journal: tuple[Note, ...]) -> bool:
        """Come to know this journal, as much of its end as there is room for; True if anything
        had to be read. Raises OutOfRoom when not even the last note fits."""
        notes, kept = await self._rewind(journal), NOTES_KEPT
        while True:
            try:
                await self._read(notes)
                return bool(notes)
            except OutOfRoom:
                kept //= 2
                if not kept:
                    raise
                notes = await self._begin_afresh(journal, kept)

    async def _read(self, notes: tuple[Note, ...]) -> None:
        stream = await self.ready()
        for note in notes:
            before = await stream.mark()
            async with asyncio.timeout(WORK_PATIENCE):
                await stream.read(self._sounds.resolve(note.content))
            self.context.note(note.key, before)

    async def clean(self) -> None:
        """Forget what was said that does not count."""
        if self.context.dirty is not None:
            stream = await self.ready()
            await stream.rewind(self.context.dirty)
            self.context.dirty = self.context.said = None

    async def forget(self, before: Mark) -> None:
        """Forget everything after this mark."""
        stream = await self.ready()
        await stream.rewind(before)
        self.context.dirty = self.context.said = None

    async def close(self) -> None:
        """Give the stream back; the next use opens a fresh one that knows nothing."""
        stream, self._stream = self._stream, None
        self.context = StreamContext()
        if stream is not None:
            await stream.close()

    async def _rewind(self, journal: tuple[Note, ...]) -> tuple[Note, ...]:
        """Go back to where stream and journal agree; what is to be read from there."""
        if self._stream is None:
            return await self._begin_afresh(journal)
        stream, plan = self._stream, self.context.plan(journal)
        if plan.is_fresh or stream.room() < LEAST_ROOM * self._instance.capacity():
            return await self._begin_afresh(journal)
        if plan.mark is not None:
            try:
                await stream.rewind(plan.mark)
            except UnknownMark:  # a mark that the stream no longer keeps
                return await self._begin_afresh(journal)
            self.context.obey(plan)
        return plan.notes

    async def _begin_afresh(
        self, journal: tuple[Note, ...], kept: int = NOTES_KEPT
    ) -> tuple[Note, ...]:
        """A stream that knows nothing yet is to know the last turns only."""
        await self.close()
        notes = last_turns(journal, kept)
        is_all = not notes or notes[0].key == journal[0].key
        self.context = StreamContext(base=None if is_all else notes[0].key)
        return notes
