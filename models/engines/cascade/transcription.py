"""The words of a segment while it is spoken: transcribed again as it grows, and at its pauses.

When a transcription begins depends on the number of samples alone, so the same sound has the same
words in whatever portions it arrives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from models.base import HEAR_CHUNK, InstanceFailed, Samples, Transcriber
from models.engines.jobs import Priority
from models.engines.worker import Worker

logger = logging.getLogger(__name__)
FIRST = 4 * HEAR_CHUNK  # samples after which a segment is transcribed for the first time
GROWTH = 4  # it is transcribed again when it has grown by one part in so many
_WINDOW = 320  # samples of which the level is taken
_SPOKEN = 0.05  # of the loudest window before: what is softer is the noise of the room
_AUDIBLE = 10 ** (-55 / 20)  # amplitude below which nothing is said


class Words(Protocol):
    """What a transcriber that takes guesses gives."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> tuple[int, ...]: ...


@runtime_checkable
class GuessingTranscriber(Protocol):
    """A Transcriber that is faster where it is told what it found in the beginning."""

    def recognise(self, samples: Samples, guess: Sequence[int] = ()) -> Words: ...


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The words of a sound; `tokens` serve as the guess for the same sound when it has grown."""

    text: str = ""
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTranscript:
    """The transcript of a segment of which `due` samples are next transcribed.

    words     those of the last transcription that has ended well; None: there is none yet
    latest    the last one, perhaps still computing
    final     of the whole segment at a pause, and how many samples that were
    """

    due: int = FIRST
    words: str | None = None
    latest: asyncio.Task[Transcribed] | None = None
    final: tuple[int, asyncio.Task[Transcribed]] | None = None

    def is_final(self, samples: Samples) -> bool:
        """Have the words of the whole segment, samples [n], been asked for, or of so much of it
        that the rest is silence?"""
        if self.final is None:
            return False
        known, rest = samples[: self.final[0]], samples[self.final[0] :]
        return not is_audible(rest) or _loudest(rest) < _SPOKEN * _loudest(known)


class TranscriptionQueue:
    """Transcribes for all streams of an engine on one thread, finals before the rest."""

    def __init__(self, transcriber: Transcriber, name: str = "transcriber") -> None:
        self.transcriber = transcriber
        self._worker = Worker(name)

    async def grown(self, transcript: SegmentTranscript, samples: Samples) -> SegmentTranscript:
        """With what is due for a segment of samples [n]. Waits for older transcriptions only."""
        while transcript.due <= len(samples):
            known = await _result(transcript.latest)
            words = transcript.words if known is None else known.text
            guess = () if known is None else known.tokens
            task = self._begin(samples[: transcript.due], guess, Priority.RUNNING)
            chunks = max(FIRST // HEAR_CHUNK, -(-transcript.due // (GROWTH * HEAR_CHUNK)))
            due = transcript.due + chunks * HEAR_CHUNK
            transcript = SegmentTranscript(due, words, task, transcript.final)
        return transcript

    async def ended(
        self, transcript: SegmentTranscript, samples: Samples
    ) -> tuple[SegmentTranscript, str]:
        """The words of the whole segment, samples [n], and the transcript that remembers them.
        Raises InstanceFailed."""
        if not transcript.is_final(samples):
            known = await _result(transcript.latest)
            guess = () if known is None else known.tokens
            task = self._begin(samples, guess, Priority.HEARING)
            transcript = replace(transcript, final=(len(samples), task))
        assert transcript.final is not None
        return transcript, (await asyncio.shield(transcript.final[1])).text

    async def words_of(self, samples: Samples) -> str:
        """The words of a whole turn, samples [n]. Raises InstanceFailed."""
        return (await self._begin(samples, (), Priority.RUNNING)).text

    def close(self) -> None:
        self._worker.close()

    def _begin(
        self, samples: Samples, guess: tuple[int, ...], priority: Priority
    ) -> asyncio.Task[Transcribed]:
        task = asyncio.create_task(self._transcribed(samples, guess, priority))
        task.add_done_callback(_retrieve)
        return task

    async def _transcribed(
        self, samples: Samples, guess: tuple[int, ...], priority: Priority
    ) -> Transcribed:
        if not is_audible(samples):
            return Transcribed()
        found = await self._worker.run(partial(self._attempt, samples, guess), priority)
        if isinstance(found, InstanceFailed):
            raise found
        return found

    def _attempt(self, samples: Samples, guess: tuple[int, ...]) -> Transcribed | InstanceFailed:
        """What the transcriber finds, or why it fails: its thread is as well as before."""
        try:
            return self._compute(samples, guess)
        except InstanceFailed as failure:
            return failure

    def _compute(self, samples: Samples, guess: tuple[int, ...]) -> Transcribed:
        if isinstance(self.transcriber, GuessingTranscriber):
            found = self.transcriber.recognise(samples, guess)
            return Transcribed(found.text, found.tokens)
        return Transcribed(self.transcriber.transcribe(samples))


def is_audible(samples: Samples) -> bool:
    """Is there anything to hear in samples [n]? Recognisers invent words for silence."""
    return _loudest(samples) >= _AUDIBLE


def _loudest(samples: Samples) -> float:
    """The highest level of a window of samples [n]; 0.0 for less than a window."""
    whole = samples[: len(samples) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    return float(np.sqrt((whole**2).mean(axis=1)).max()) if whole.size else 0.0


async def _result(task: asyncio.Task[Transcribed] | None) -> Transcribed | None:
    """What an earlier transcription found; None where there was none or it failed, which says
    nothing about what was heard."""
    try:
        return None if task is None else await asyncio.shield(task)
    except InstanceFailed:
        return None


def _retrieve(task: asyncio.Task[Transcribed]) -> None:
    """A transcription that nobody waits for any more may fail."""
    if not task.cancelled() and task.exception() is not None:
        logger.warning("a transcription failed: %s", task.exception())
