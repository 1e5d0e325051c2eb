"""How fast our own parts are on this machine, what that predicts, and a real call beside it."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.frame import HEAR_RATE, SPEAK_RATE, Samples
from audio.resample import resample
from models.base import AnswerOptions, Conversation, Transcriber
from models.engines.bundle import Bundle
from models.engines.cascade.speech import NanoSpeechSource
from models.engines.embedded import EmbeddedInstance
from models.vita.chunker import SpokenChunk
from server.app import create_app
from server.call.caller import Caller
from server.call.latency import turns
from server.call.script import CallScript, Cue
from server.call.timeline import TimelineClip
from server.config import ServerSettings
from server.serve import new_server
from server.service import Service

QUESTION = "How many planets are there in the solar system?"
CALLS = 3
PAUSE_SEEN = 0.08  # seconds of silence before a pause is judged
PAUSE_SURE = 0.16  # and before it is sure, when the turn is a query
ON_THE_WAY = 0.03  # from a sample that leaves to one that is heard, and frames of 20 ms


@dataclass(frozen=True, slots=True)
class PartTimes:
    """Seconds: to judge and to write down a question, to the first sound of a clause."""

    transcript: float
    first_sound: float
    words: str


async def measure_parts(model: Path, transcriber: Transcriber | None) -> tuple[PartTimes, Samples]:
    """The parts alone, and the question as nano says it, [n] at 24 kHz."""
    bundle = Bundle.read(model)
    instance = EmbeddedInstance(bundle, "doctor")
    await instance.warm_up()
    source = NanoSpeechSource(bundle, instance.worker)
    question, _ = await _spoken(source, QUESTION)
    _, first_sound = await _spoken(source, "It has eight,")
    heard = resample(question, SPEAK_RATE, HEAR_RATE)
    stream = await instance.open(Conversation())
    await stream.hear(heard[: -HEAR_RATE // 4])
    if transcriber is not None:
        await asyncio.to_thread(transcriber.transcribe, heard)  # first touches
    began = time.perf_counter()
    words = (await stream.hear(heard[-HEAR_RATE // 4 :], last=True)).words
    if transcriber is not None:
        words = await asyncio.to_thread(transcriber.transcribe, heard)
    taken = time.perf_counter() - began
    await stream.close()
    await instance.close()
    return PartTimes(taken, first_sound, words), question


async def _spoken(source: NanoSpeechSource, text: str) -> tuple[Samples, float]:
    """The sound, and seconds to the first of it."""
    began, first, sound = time.perf_counter(), 0.0, list[Samples]()
    speech = source.begin(AnswerOptions(seed=1))
    for chunks in (speech.say(SpokenChunk(text, inside=False)), speech.end()):
        async for chunk in chunks:
            if chunk.samples is not None and len(chunk.samples):
                first = first or time.perf_counter() - began
                sound.append(chunk.samples)
    return np.concatenate(sound), first


def predicted(parts: PartTimes, first_token: float, tokens_a_second: float | None) -> float:
    """Response latency in seconds: from the last voiced sample to the first of the answer."""
    clause = 4 / tokens_a_second if tokens_a_second else 0.0  # three words, and the next begins
    made = PAUSE_SEEN + parts.transcript + first_token + clause + parts.first_sound
    return max(made, PAUSE_SURE) + ON_THE_WAY


async def measure_calls(settings: ServerSettings, question: Samples) -> float | None:
    """The same from outside: a server of our own, called a few times; the median."""
    app = create_app(settings)
    service: Service = app.state.service
    server = new_server(app, settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/realtime"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await service.started.wait()
        assert service.loaded is not None
        await service.loaded
        found = [await _call(url, question) for _ in range(CALLS)]
        server.should_exit = True
        await serving
    known = [each for each in found if each is not None]
    return statistics.median(known) if known else None


async def _call(url: str, question: Samples) -> float | None:
    silence = np.zeros(SPEAK_RATE // 5, np.float32)
    sound = np.concatenate((silence, question, silence))
    clip = TimelineClip.of("question", sound, SPEAK_RATE)
    async with Caller(url, CallScript((Cue(clip, at=0.5),), linger=0.5)) as caller:
        record = await caller.run()
    return turns(record)[0].response
