"""What one running server has: settings, keys, models, seats, metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from duplex.roles import Pair, PairPool
from duplex.trace import Observer
from models.base import (
    HEAR_CHUNK,
    AnswerOptions,
    Conversation,
    Instance,
    InstanceFailed,
    SpeakerEncoder,
    VoiceActivityDetector,
)
from models.capabilities import (
    Capabilities,
    Dependent,
    capabilities_of,
    trouble_of,
)
from models.engines.choice import engine_for
from server.admission import Admission
from server.auth import Keyring
from server.config import ServerSettings
from server.draining.control import ControlSocket
from server.draining.drain import Drain
from server.edge.http import HalfOpen
from server.edge.visitors import Visitors
from server.loading import LoadingQueue
from server.message_decoder import DecodingThreads
from server.meter import SessionMeter
from server.metering import MeteredDetector, MeteredInstance, MeteredSpeakerEncoder
from server.metrics import Metrics
from server.outbox import Outbox
from server.process_memory import FreedMemory
from server.realtime.model_names import ModelNames
from server.realtime.session_config import SessionConfig
from server.resume.vault import Vault
from server.spans import SpanExport, TurnSpans
from server.tracing import TraceFile

logger = logging.getLogger(__name__)
VERSION = version("antiphon")
WARM_UP_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Engine:
    """Loaded models: two instances for each pair, a detector for each session, and what tells
    voices apart, None where that is off."""

    pairs: tuple[tuple[Instance, Instance], ...]
    detector: Callable[[], VoiceActivityDetector]
    speaker_encoder: SpeakerEncoder | None = None

    async def close(self) -> None:
        for pair in self.pairs:
            for instance in pair:
                await instance.close()


@dataclass(frozen=True, slots=True, eq=False)
class Queues:
    """What waits in one session: messages to the client, seconds of sound from it."""

    outbox: Outbox
    backlog: Callable[[], float]


class Service:
    """One server's state; `start` and `stop` are called by the application's lifespan."""

    def __init__(self, settings: ServerSettings, load: Callable[[ServerSettings], Engine]) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.keyring = Keyring(key.get_secret_value() for key in settings.api_keys)
        self.model_names = ModelNames(settings.model_name, settings.model_aliases)
        self.admission = Admission()
        self.drain = Drain(settings.drain, self.admission)
        self.loading = LoadingQueue(settings.capacity, settings.limits.loading)
        self.queues: set[Queues] = set()
        self.decoding = DecodingThreads()
        self.visitors = Visitors(settings.allowances)
        limits = settings.limits
        self.half_open = HalfOpen(limits.half_open, limits.request_seconds, self.metrics.refusals)
        self.freed = FreedMemory()
        self.disk = ThreadPoolExecutor(1, thread_name_prefix="trace")
        self.engine: Engine | None = None
        self.started = asyncio.Event()
        self.loaded: asyncio.Future[None] | None = None
        self._load = load
        self._tasks: list[asyncio.Task[None]] = []
        self.vault = Vault(settings.resume, self.metrics) if settings.resume.store else None
        self.spans = SpanExport(settings.spans, VERSION) if settings.spans else None
        path = settings.drain.socket
        self._control = None if path is None else self._new_control(path)
        self._watch()

    def _watch(self) -> None:
        metrics, admission = self.metrics, self.admission
        metrics.sessions.set_function(lambda: admission.taken)
        metrics.leases.set_function(lambda: admission.taken)
        metrics.places.set_function(lambda: admission.left)
        metrics.draining.set_function(lambda: admission.is_draining)
        metrics.pairs.set_function(lambda: len(self.engine.pairs) if self.engine else 0)
        metrics.trouble.set_function(lambda: 0 if self.trouble is None else 1)
        metrics.capacity.set_function(lambda: admission.pool.capacity if admission.pool else 0)
        metrics.tasks.set_function(self._count_tasks)
        metrics.outgoing.set_function(lambda: sum(len(each.outbox) for each in self.queues))
        metrics.backlog.set_function(lambda: sum(each.backlog() for each in self.queues))

    def _count_tasks(self) -> int:
        return 0 if self.loaded is None else len(asyncio.all_tasks(self.loaded.get_loop()))

    def _new_control(self, path: Path) -> ControlSocket:
        return ControlSocket(path, self.drain, lambda: self.readiness)

    @property
    def capabilities(self) -> Capabilities:
        """What the models can do; everything while they are not loaded."""
        return Capabilities() if self.engine is None else capabilities_of(self.engine.pairs[0][0])

    @property
    def session(self) -> SessionConfig:
        """The configuration of a session whose client says nothing."""
        settings = self.settings
        return SessionConfig(model=settings.model_name, instructions=settings.instructions)

    @property
    def readiness(self) -> str:
        """What /readyz says; "unhealthy" is no pair in rotation: an engine is being started again,
        or an instance does not stop. A full server is ready: balancers cut the calls of others."""
        pool = self.admission.pool
        if self.admission.is_draining:
            return "draining"
        if pool is None:
            return "loading"
        return "ready" if pool.capacity else "unhealthy"

    @property
    def trouble(self) -> str | None:
        """Why no instance can answer at the moment though all are well; safe to show."""
        pairs = self.engine.pairs if self.engine is not None else ()
        found = (trouble_of(instance) for pair in pairs for instance in pair)
        return next((reason for reason in found if reason is not None), None)

    # ------------------------------------------------------------------------ start and stop

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.loaded = loop.create_future()
        if self._control is not None:
            await self._control.open()
        self._tasks = [
            asyncio.create_task(self._fill()),
            asyncio.create_task(self.metrics.watch_loop(loop.time)),
        ]
        self.started.set()

    async def stop(self) -> None:
        self.admission.is_draining = True
        await self.drain.stop()
        if self._control is not None:
            await self._control.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.engine is not None:
            await self.engine.close()
        self.freed.close()
        self.decoding.close()
        await asyncio.to_thread(self.disk.shutdown)
        if self.vault is not None:
            await self.vault.close()
        if self.spans is not None:
            await asyncio.to_thread(self.spans.close)

    async def _fill(self) -> None:
        """Load and warm up beside the loop, so that health is answered meanwhile."""
        assert self.loaded is not None
        try:
            self.engine = await asyncio.to_thread(self._load, self.settings)
            for pair in self.engine.pairs:
                self._watch_outside(pair)
                for instance in pair:  # one after the other: a device captures for one at a time
                    await warm_up(instance)
            await asyncio.to_thread(self._tell_build)
            self.admission.pool = self._pool(self.engine)
        except Exception as error:
            logger.debug("the models could not be loaded", exc_info=True)
            self.loaded.set_exception(error)
            self.loaded.exception()  # it may be that nobody waits for it
        else:
            self.loaded.set_result(None)

    def _watch_outside(self, pair: tuple[Instance, Instance]) -> None:
        """Count the requests of instances that depend on something outside of the server."""
        for instance in pair:
            if isinstance(instance, Dependent):
                instance.watch(lambda outcome: self.metrics.llm_requests.labels(outcome).inc())

    def _tell_build(self) -> None:
        settings = self.settings
        engine = engine_for(settings.model) if settings.engine == "auto" else settings.engine
        self.metrics.build.labels(VERSION, engine, settings.model_name).set(1)

    def _pool(self, engine: Engine) -> PairPool:
        pairs = [
            Pair(
                MeteredInstance(first, self.metrics, second),
                MeteredInstance(second, self.metrics, first),
            )
            for first, second in engine.pairs
        ]
        return PairPool(pairs, self.settings.sessions_per_pair)

    def observers(self, token: str, trace: TraceFile | None) -> tuple[Observer, ...]:
        """Who follows a new session: the metrics, and a trace and spans where they are wanted."""
        name = None if trace is None else f"{token}.jsonl"
        observers: list[Observer] = [SessionMeter(self.metrics, name)]
        if trace is not None:
            observers.append(trace)
        if self.spans is not None:
            model = self.settings.model_name
            observers.append(TurnSpans(self.spans.tracer, f"sess_{token}", model))
        return tuple(observers)

    @property
    def speaker_encoder(self) -> SpeakerEncoder | None:
        """What tells voices apart, timed; None where that is off."""
        encoder = None if self.engine is None else self.engine.speaker_encoder
        return None if encoder is None else MeteredSpeakerEncoder(encoder, self.metrics)

    def new_detector(self) -> VoiceActivityDetector:
        assert self.engine is not None
        return MeteredDetector(self.engine.detector(), self.metrics)


async def warm_up(instance: Instance) -> None:
    """Hear a chunk of silence and begin an answer, so that the first client waits for nothing."""
    stream = await instance.open(Conversation())
    await stream.hear(np.zeros(HEAR_CHUNK, dtype=np.float32), last=True)
    await stream.end_segment()
    try:
        async for _ in stream.answer(AnswerOptions(max_tokens=WARM_UP_TOKENS)):
            continue
    except InstanceFailed as error:
        if trouble_of(instance) is None:
            raise
        logger.warning("answers will fail until this is mended: %s", error.reason)
    await stream.close()
