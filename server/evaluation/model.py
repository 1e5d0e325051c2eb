"""The model alone, on whole clips, without voice activity detection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from audio.frame import Samples
from duplex.endpointing import Settings
from models.base import (
    HEAR_CHUNK,
    HEAR_RATE,
    AnswerChunk,
    AnswerOptions,
    Conversation,
    Instance,
    Stream,
)
from server.call.voiced import bounds
from server.evaluation.manifest import LabelledRecording, read_sound
from server.evaluation.scores import DIGIT, QUERY, EvaluatedClip

_LONGEST = 15 * HEAR_RATE  # samples of one segment; a longer clip is heard in parts
_ROOM = 0.3  # seconds before and after the voice, as the server's segments have
_OPTIONS = AnswerOptions(speak=False, max_tokens=64)


async def hear_all(
    instance: Instance, recordings: Sequence[LabelledRecording], done: Callable[[], None]
) -> list[EvaluatedClip]:
    """Each recording on a fresh stream. Raises InstanceFailed, OSError, ValueError."""
    heard = []
    for recording in recordings:
        heard.append(await hear_one(instance, recording))
        done()
    return heard


async def hear_one(instance: Instance, recording: LabelledRecording) -> EvaluatedClip:
    """A clip counts as acted on if any verdict in the whole of it passes the query threshold.

    What it answers to orders and digits is asked on the clip cut to its voice, as a segment is.
    """
    samples = read_sound(recording, HEAR_RATE)
    has_acted, answer, words = False, "", ""
    for start in range(0, len(samples), _LONGEST):
        async with _fresh(instance) as stream:
            has_acted |= (await _hear(stream, samples[start : start + _LONGEST]))[0]
    if recording.label in QUERY | DIGIT:
        async with _fresh(instance) as stream:
            _, words = await _hear(stream, trimmed(samples))
            answer = await _answer(stream)
    return EvaluatedClip(recording, has_acted, answer, words)


def trimmed(samples: Samples) -> Samples:
    """The part of [n] that is voiced, by its energy, with a little of the room round it."""
    voiced = bounds(samples, HEAR_RATE)
    if voiced is None:
        return samples
    first, last = voiced.start - _ROOM, voiced.end + _ROOM
    return samples[max(0, round(first * HEAR_RATE)) : round(last * HEAR_RATE)]


@asynccontextmanager
async def _fresh(instance: Instance) -> AsyncIterator[Stream]:
    stream = await instance.open(Conversation())
    try:
        yield stream
    finally:
        await stream.close()


async def _hear(stream: Stream, samples: Samples) -> tuple[bool, str]:
    """Would any verdict be acted on? And the words at the end."""
    threshold = Settings().query_threshold
    acts, words = False, ""
    for start in range(0, len(samples), HEAR_CHUNK):
        last = start + HEAR_CHUNK >= len(samples)
        verdict = await stream.hear(samples[start : start + HEAR_CHUNK], last=last)
        acts |= verdict.query >= threshold
        words = verdict.words
    await stream.end_segment()
    return acts, words


async def _answer(stream: Stream) -> str:
    parts = [part async for part in stream.answer(_OPTIONS)]
    return "".join(part.text for part in parts if isinstance(part, AnswerChunk))
