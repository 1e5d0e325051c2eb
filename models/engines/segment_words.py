"""models.engines: the words of one segment as it grows, by a recogniser that hears it again.

The open part of a segment is heard again each PACE of new sound, and at every pause. A part longer
than LONGEST is closed at its quietest place, so that hearing again never costs more than that.
States are values: each step makes a new one, so a mark may keep the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from models.base import HEAR_RATE, Samples
from models.moonshine import SHORTEST, Array, Recognition

PACE = HEAR_RATE * 32 // 100  # samples of new sound after which it is worth hearing again
LONGEST = 8 * HEAR_RATE  # samples of the open part
SURE = 0.72  # certainty from which on it is English
FOREIGN = 0.6  # below this certainty it is none, once so much has been heard:
TELLING = HEAR_RATE  # samples
NOTHING = Recognition()
QUIET = 0.01  # power of a pause beside that of the sound before it, for there to be no word
RESTING = 0.2  # the same where a pause was found already, noise in the room included
_FRAME = HEAR_RATE // 50


class Recogniser(Protocol):
    """What models.moonshine.Moonshine does."""

    def recognise(self, samples: Samples, guess: tuple[int, ...] = ()) -> Recognition: ...
    def encode(self, samples: Samples) -> Array: ...


@dataclass(frozen=True, slots=True)
class SegmentWords:
    """What was recognised of a segment. `sound` [size] is its open part, of which `read` samples
    were heard; `closed` are the words before it, `tokens` of them, with `certainties` summed, and
    `frames` the recogniser's encoder frames of that sound."""

    sound: tuple[Samples, ...] = ()
    size: int = 0
    read: int = 0
    found: Recognition = NOTHING
    closed: str = ""
    tokens: int = 0
    certainties: float = 0.0
    frames: tuple[Array, ...] = field(default=(), compare=False, repr=False)

    @property
    def text(self) -> str:
        return f"{self.closed} {self.found.text}".strip()

    @property
    def certainty(self) -> float:
        """The mean over all tokens; 0.0 where there are no words."""
        count = len(self.found.tokens)
        total = self.certainties + count * self.found.certainty
        return total / (self.tokens + count) if self.tokens + count else 0.0

    @property
    def is_foreign(self) -> bool:
        """Enough was heard to say that it is hardly English: until the pause it is not heard again,
        where the first words alone may have been doubtful."""
        return bool(self.text) and self.read >= TELLING and self.certainty < FOREIGN

    @property
    def encoded(self) -> tuple[Array, ...]:
        """The encoder's frames [n, width] of all that was heard, part by part."""
        return self.frames if self.found.frames is None else (*self.frames, self.found.frames)

    @property
    def unread(self) -> int:
        """Samples that were not heard: new ones, or a pause."""
        return self.size - self.read

    @property
    def is_due(self) -> bool:
        return self.unread >= PACE and not self.is_foreign

    @property
    def is_spelling_due(self) -> bool:
        return self.unread >= PACE and self.is_foreign


UNHEARD = SegmentWords()


def take(words: SegmentWords, samples: Samples) -> SegmentWords:
    """With more sound, [n] at 16 kHz; nothing is recognised yet."""
    return replace(words, sound=(*words.sound, samples), size=words.size + samples.size)


def recognise(words: SegmentWords, recogniser: Recogniser) -> SegmentWords:
    """With the words of all of the open part. A pause behind it adds none, and is not heard."""
    return _heard(words, recogniser.recognise)


def encode(words: SegmentWords, recogniser: Recogniser) -> SegmentWords:
    """With the encoder's frames of all of the open part, and the words as they were: where they
    are foreign already, to guess at more of them takes long and tells nothing."""

    def encoded(samples: Samples, _: tuple[int, ...]) -> Recognition:
        is_heard = samples.size >= SHORTEST
        return replace(words.found, frames=recogniser.encode(samples) if is_heard else None)

    return _heard(words, encoded)


def _heard(
    words: SegmentWords, hear: Callable[[Samples, tuple[int, ...]], Recognition]
) -> SegmentWords:
    if words.size == words.read:
        return words
    sound = np.concatenate(words.sound)
    if is_quiet(sound[words.read :], sound[: words.read]):
        return replace(words, sound=(sound,))
    while sound.size > LONGEST:
        cut = quietest(sound[:LONGEST])
        first = hear(sound[:cut], words.found.tokens)
        sound = sound[cut:]
        words = SegmentWords(
            closed=f"{words.closed} {first.text}".strip(),
            tokens=words.tokens + len(first.tokens),
            certainties=words.certainties + len(first.tokens) * first.certainty,
            frames=words.frames if first.frames is None else (*words.frames, first.frames),
        )
    found = hear(sound, words.found.tokens)
    return replace(words, sound=(sound,), size=sound.size, read=sound.size, found=found)


def is_quiet(new: Samples, before: Samples) -> bool:
    """Is there nothing to recognise in what follows a sound? By its power, beside the sound's."""
    if not before.size or not new.size:
        return False
    return bool(np.mean(np.square(new)) < QUIET * np.mean(np.square(before)))


def is_resting(words: SegmentWords, count: int) -> bool:
    """Are the last `count` samples still the pause that was found before them?"""
    if count <= 0:
        return True
    sound = np.concatenate(words.sound) if words.sound else np.zeros(0, np.float32)
    before, new = sound[:-count], sound[-count:]
    if not before.size:
        return False
    return bool(np.mean(np.square(new)) < RESTING * np.mean(np.square(before)))


def quietest(sound: Samples) -> int:
    """The middle of the quietest 20 ms in the second half of [n] samples."""
    start = sound.size // 2
    count = (sound.size - start) // _FRAME
    frames = sound[start : start + count * _FRAME].reshape(count, _FRAME)
    return start + int(np.square(frames).sum(axis=1).argmin()) * _FRAME + _FRAME // 2
