"""A whole session on scripted instances, spoken to in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from audio.frame import Samples
from duplex import actions
from duplex.endpointing import Settings
from duplex.orchestrator import Orchestrator, Outgoing
from duplex.playout import AnswerSound
from duplex.roles import Pair, PairPool
from duplex.trace import Observer, Record
from models.base import HEAR_RATE, SpeakerEncoder
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer
from tests.scripted_engine import ScriptedInstance

Kind = TypeVar("Kind")
FRAME = HEAR_RATE // 50
TEN = "one two three four five six seven eight nine ten"
LONG = ScriptedAnswer(" ".join([TEN] * 4))
QUERIES = EngineScript(verdict=lambda _: QUERY, answers=[LONG] * 9)
SHORT = EngineScript(verdict=lambda _: QUERY, answers=[ScriptedAnswer(TEN)] * 9)


class LevelDetector:
    """Voice is whatever is loud: a deterministic stand-in for a network."""

    window = 512

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)

    async def detect(self, samples: Samples) -> Sequence[float]:
        joined = np.concatenate([self._rest, samples])
        count = len(joined) // self.window
        self._rest = joined[count * self.window :]
        windows = joined[: count * self.window].reshape(count, self.window)
        return [0.95 if level > 0.01 else 0.02 for level in np.abs(windows).mean(axis=1)]

    def reset(self) -> None:
        self._rest = np.zeros(0, np.float32)


@dataclass
class Call:
    """`log` holds what the client would get, with the time."""

    orchestrator: Orchestrator
    instances: tuple[ScriptedInstance, ScriptedInstance]
    pool: PairPool
    log: list[tuple[float, Outgoing]] = field(default_factory=list)

    async def speak(self, seconds: float, level: float = 0.3) -> None:
        """User audio of this loudness at playing speed."""
        noise = np.random.default_rng(7)
        for _ in range(round(seconds * 50)):
            sound = (noise.uniform(-2, 2, FRAME) * level).astype(np.float32)
            self.orchestrator.hear(sound)
            await asyncio.sleep(0.02)

    async def pause(self, seconds: float) -> None:
        await self.speak(seconds, 0.0)

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [entry for _, entry in self.log if isinstance(entry, kind)]

    def time_of(self, kind: type) -> float:
        return next(now for now, entry in self.log if isinstance(entry, kind))

    def reasons(self) -> list[str]:
        return [decision.reason.value for decision in self.all(actions.Decide)]

    def sound(self, response_id: int) -> Samples:
        pieces = [s.samples for s in self.all(AnswerSound) if s.response_id == response_id]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


class Recorder:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        self.records.append(record)


@asynccontextmanager
async def calling(
    *scripts: EngineScript,
    settings: Settings | None = None,
    observers: tuple[Observer, ...] = (),
    encoder: SpeakerEncoder | None = None,
) -> AsyncIterator[Call]:
    """One session on two scripted instances (the second script may be left out)."""
    first, second = scripts if len(scripts) == 2 else scripts * 2
    instances = (ScriptedInstance(first, name="a"), ScriptedInstance(second, name="b"))
    async with calling_on(
        *instances, settings=settings, observers=observers, encoder=encoder
    ) as call:
        yield call


@asynccontextmanager
async def calling_on(
    *instances: ScriptedInstance,
    settings: Settings | None = None,
    observers: tuple[Observer, ...] = (),
    encoder: SpeakerEncoder | None = None,
) -> AsyncIterator[Call]:
    """One session on these two instances."""
    first, second = instances
    pool = PairPool([Pair(first, second)], 4)
    loop = asyncio.get_running_loop()
    log: list[tuple[float, Outgoing]] = []
    orchestrator = Orchestrator(
        lease=pool.lease(),
        detector=LevelDetector(),
        emit=lambda entry: log.append((loop.time(), entry)),
        settings=settings,
        token="t",
        speaker_encoder=encoder,
        observers=observers,
    )
    task = asyncio.create_task(orchestrator.run())
    try:
        yield Call(orchestrator, (first, second), pool, log)
    finally:
        task.cancel()
        await asyncio.wait({task})
