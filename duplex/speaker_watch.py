"""Compares the voice of the open segment with those that were answered, beside everything else.

The voices are in memory only, and are gone with the session or when the client switches this off.

The core says when: `compare` where it matters whose voice it is, `learn` when a segment is
answered. At most one piece of work is under way in a session; while it is, the voice is only
collected, so that a verdict never waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import numpy as np

from audio.frame import Samples
from duplex.events import SpeakerScored
from models.base import HEAR_RATE, InstanceFailed, SpeakerEncoder, VoicePrint

logger = logging.getLogger(__name__)

# Voice at which a segment is compared for the first time, and how much more of it is worth another
# look: soon at first, when little is known.
FIRST = round(0.12 * HEAR_RATE)
SOON, LATER = round(0.06 * HEAR_RATE), round(0.28 * HEAR_RATE)
SOON_UNTIL = round(0.7 * HEAR_RATE)
# Of a voice that is compared the newest so much counts, as the encoder takes it at once; of one
# that is learned, three times as much.
COMPARED = round(1.6 * HEAR_RATE)
LEARNED = 3 * COMPARED
SHORTEST_LEARNED = round(0.5 * HEAR_RATE)
# Segments whose voice is kept until it is known whether they are answered.
KEPT_SEGMENTS = 3
# Two people may take turns with the assistant, and a third; more is a crowd.
MAX_SPEAKERS = 3
# A turn whose voice is less likely than this to be a known one is another person's.
NEW_SPEAKER_BELOW = 0.2
# A voice has been heard well enough after so many seconds: older ones count no more than that.
MAX_SECONDS = 20.0


class SpeakerProfile:
    """Running means of the voices of answered turns. Its text shows no voice."""

    def __init__(self, encoder: SpeakerEncoder) -> None:
        self.encoder = encoder
        self._known: list[VoicePrint] = []

    def __len__(self) -> int:
        return len(self._known)

    def score(self, heard: VoicePrint) -> float | None:
        """The probability that it is one of the known voices, None while none is known."""
        return max((self.encoder.likeness(known, heard) for known in self._known), default=None)

    def learn(self, heard: VoicePrint) -> None:
        """A turn in this voice was answered: it belongs to the most likely known voice, or is a new
        one, for which the voice that was heard least gives way."""
        scores = [self.encoder.likeness(known, heard) for known in self._known]
        if scores and max(scores) >= NEW_SPEAKER_BELOW:
            place = scores.index(max(scores))
            self._known[place] = self._known[place].joined(heard, MAX_SECONDS)
            return
        if len(self._known) == MAX_SPEAKERS:
            seconds = [known.seconds for known in self._known]
            del self._known[seconds.index(min(seconds))]
        self._known.append(heard)


@dataclass(slots=True)
class VoicedSound:
    """The newest voiced sound of one segment."""

    segment: int
    pieces: deque[Samples] = field(default_factory=deque)
    total: int = 0  # samples, all that ever was
    held: int = 0  # samples, those that are kept
    is_compared: bool = False
    next_at: int = FIRST  # `total` at which it is compared again

    def add(self, piece: Samples) -> None:
        self.pieces.append(piece)
        self.total += len(piece)
        self.held += len(piece)
        while self.held - len(self.pieces[0]) >= LEARNED:
            self.held -= len(self.pieces.popleft())

    def newest(self, count: int) -> Samples:
        """At most `count` samples."""
        return np.concatenate(self.pieces)[-count:]

    def put_off(self) -> None:
        """It is compared now, and again when there is more."""
        self.next_at = self.total + (SOON if self.total < SOON_UNTIL else LATER)


class SpeakerWatch:
    """One session's. `report` takes the scores. Without an `encoder` it does nothing."""

    def __init__(
        self, encoder: SpeakerEncoder | None, report: Callable[[SpeakerScored], None]
    ) -> None:
        self._report = report
        self._profile = None if encoder is None else SpeakerProfile(encoder)
        self._segments: deque[VoicedSound] = deque(maxlen=KEPT_SEGMENTS)
        self._is_open = False
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._to_learn: deque[Samples] = deque(maxlen=KEPT_SEGMENTS)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Work in `group` from now on."""
        self._group = group

    def begin(self, segment: int) -> None:
        """A segment is heard. One that is heard again keeps its voice."""
        if self._profile is None:
            return
        if not self._segments or self._segments[-1].segment != segment:
            self._segments.append(VoicedSound(segment))
        self._is_open = True

    def end(self) -> None:
        """No more sound belongs to the open segment."""
        self._is_open = False

    def compare(self, segment: int) -> None:
        """Report the scores of this segment's voice from now on."""
        for sound in self._segments:
            sound.is_compared = sound.is_compared or sound.segment == segment

    def hear(self, voiced: Samples, until: float) -> None:
        """A voiced window [n] of the microphone that ends at `until` (user audio, seconds)."""
        if not self._is_open or self._profile is None:
            return
        sound = self._segments[-1]
        sound.add(voiced)
        is_due = sound.is_compared and sound.total >= sound.next_at
        if is_due and len(self._profile) and self._task is None:
            sound.put_off()
            self._begin(self._score(self._profile, sound, until))

    def learn(self, segment: int) -> None:
        """This segment is answered."""
        for sound in self._segments:
            if sound.segment == segment and sound.total >= SHORTEST_LEARNED:
                self._to_learn.append(sound.newest(LEARNED))
        self._learn_next()

    def forget(self) -> None:
        """No voice is known any more; what is under way is for the profile that was."""
        if self._profile is not None:
            self._profile = SpeakerProfile(self._profile.encoder)
        self._segments.clear()
        self._to_learn.clear()
        self._is_open = False

    def close(self) -> None:
        """The session is over."""
        self._group = None
        self.forget()

    # ---------------------------------------------------------------------------- the work

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        if self._group is None:
            work.close()
            return
        try:
            self._task = self._group.create_task(work, name="speaker-watch")
        except RuntimeError:  # the group is closing: the session is over
            work.close()
            return
        self._task.add_done_callback(self._on_done)

    def _on_done(self, _: asyncio.Task[None]) -> None:
        self._task = None
        self._learn_next()

    def _learn_next(self) -> None:
        if self._to_learn and self._task is None and self._profile is not None:
            self._begin(self._learn(self._profile, self._to_learn.popleft()))

    async def _learn(self, profile: SpeakerProfile, voiced: Samples) -> None:
        heard = await self._embed(profile, voiced)
        if heard is not None:
            profile.learn(heard)

    async def _score(self, profile: SpeakerProfile, sound: VoicedSound, until: float) -> None:
        heard = await self._embed(profile, sound.newest(COMPARED))
        score = None if heard is None else profile.score(heard)
        if score is not None and profile is self._profile:
            self._report(SpeakerScored(sound.segment, round(score, 3), until))

    async def _embed(self, profile: SpeakerProfile, voiced: Samples) -> VoicePrint | None:
        """None where it fails: a call goes on without whose voice it is."""
        try:
            return await profile.encoder.embed(voiced)
        except InstanceFailed as error:
            logger.warning("speaker profile: %s", error.reason)
        except Exception:
            logger.exception("speaker profile: a voice could not be compared")
        return None
