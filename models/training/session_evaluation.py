"""models.training: measures a folder as it is served in one conversation of many spoken turns.

What stands before a question must not change whether it is taken: words that a recogniser gave,
answers, and what was said in another language. The questions are asked one after the other on one
stream, and each of them on a fresh stream too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from rich.progress import track

from audio.frame import Samples
from models.base import (
    HEAR_RATE,
    AnswerChunk,
    AnswerOptions,
    AssistantText,
    Conversation,
    Instance,
    Item,
    Stream,
    UserSound,
    Verdict,
)
from models.engines.embedded import EmbeddedInstance, load
from models.training.corpus import VoiceShares
from models.training.served_evaluation import LEAD, in_voice
from models.training.skills.registry import exchange

TAKEN = 0.5  # share of a query from which on a turn is answered, as the server has it
PAUSE, LOOK = 0.5, 0.085  # seconds of quiet in which a turn may still be taken, and between looks
FIRST_LOOK = 0.16  # seconds of quiet
ROOM, KEPT = 0.2, 8  # as the server begins a stream afresh: share of room left, items it then reads
_FLOOR = 0.0005  # of noise
_OPTIONS = AnswerOptions(speak=False, max_tokens=64)


@dataclass(frozen=True, slots=True)
class SessionReport:
    """Of `asked` questions: how many were not taken, and how many were answered with nothing."""

    asked: int
    lost: int
    lost_afresh: int  # each on a stream of its own
    unanswered: int


async def measure(folder: Path, turns: int, seed: int, neural: float = 0.0) -> SessionReport:
    """Ask so many English questions in reserved voices, that share of them in neural ones."""
    instance = EmbeddedInstance(load(folder), "measured")
    questions = spoken(turns, seed, neural)
    try:
        lost, unanswered = await in_one_session(instance, questions)
        afresh = 0
        for samples in track(questions, "afresh"):
            stream = await instance.open(Conversation())
            afresh += (await taken(stream, samples)).query < TAKEN
            await stream.close()
    finally:
        await instance.close()
    return SessionReport(len(questions), lost, afresh, unanswered)


def spoken(turns: int, seed: int, neural: float) -> list[Samples]:
    """Questions with quiet before and behind."""
    random, shares = Random(seed), VoiceShares(neural=neural)
    found: list[Samples] = []
    while len(found) < turns:
        made = exchange(random)
        voice = shares.draw(random, True, made.question)
        samples = in_voice(made.question, voice) if made.answer else None
        if samples is not None:
            quiet = np.zeros(round(LEAD * HEAR_RATE)), np.zeros(round(PAUSE * HEAR_RATE))
            joined = np.concatenate((quiet[0], samples, quiet[1]))
            noise = np.random.default_rng(samples.size).normal(0, _FLOOR, joined.size)
            found.append(joined.astype(np.float32) + noise.astype(np.float32))
    return found


async def in_one_session(instance: Instance, questions: list[Samples]) -> tuple[int, int]:
    """How many questions were not taken, and how many answers were empty."""
    stream, items = await instance.open(Conversation()), list[Item]()
    lost = unanswered = 0
    for samples in track(questions, "in one session"):
        if stream.room() < ROOM * instance.capacity():
            await stream.close()
            items = items[-KEPT:]
            stream = await instance.open(Conversation(tuple(items)))
        before = await stream.mark()
        verdict = await taken(stream, samples)
        if verdict.query < TAKEN:
            lost += 1
            await stream.rewind(before)
            continue
        await stream.end_segment()
        sound = UserSound(None, stream.embedded(), verdict.words)
        parts = [part async for part in stream.answer(_OPTIONS)]
        text = "".join(part.text for part in parts if isinstance(part, AnswerChunk))
        unanswered += not text
        items += [sound, AssistantText(text)]
    await stream.close()
    return lost, unanswered


async def taken(stream: Stream, samples: Samples) -> Verdict:
    """The first verdict in the pause behind a question that takes it, or the last one."""
    at = samples.size - round((PAUSE - FIRST_LOOK) * HEAR_RATE)
    verdict = await stream.hear(samples[:at], last=True)
    while verdict.query < TAKEN and at < samples.size:
        until = at + round(LOOK * HEAR_RATE)
        verdict = await stream.hear(samples[at:until], last=True)
        at = until
    return verdict


def run(folder: Path, turns: int, seed: int, neural: float) -> SessionReport:
    """`measure`, in an event loop of its own."""
    return asyncio.run(measure(folder, turns, seed, neural))
