"""One client: a reader, a writer, the conversation and a watch, in one TaskGroup."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import orjson

from duplex import actions
from duplex.events import Event, SettingsChanged
from duplex.orchestrator import InputOverrun, Outgoing
from duplex.playout import AnswerSound
from duplex.session import Snapshot
from models.base import HEAR_RATE, Samples, Tool
from server.config import Limits
from server.connections import (
    BROKEN,
    GOING_AWAY,
    LOST,
    NO_TEXT,
    NORMAL,
    POLICY,
    RESTART,
    Connection,
    Disconnected,
)
from server.draining.drain import Leaving
from server.message_decoder import MessageDecoder, NoText
from server.metrics import Metrics
from server.outbox import Outbox, OutboxFull
from server.realtime.budget import TokenBucket
from server.realtime.decode import AudioReceived, Configured, LongAudioReceived, Step
from server.realtime.encode import Encoder
from server.realtime.refusal import Refusal
from server.resume.keeper import SnapshotKeeper
from server.resume.stores import AlreadyTaken

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 1.0  # for the last words before a close
_WATCH_PERIOD = 0.25
_OVERRUN_PATIENCE, _OVERRUN_PERIOD = 5.0, 0.02
_OVERRUN = Refusal(
    "More was sent than can be heard in time; some of it was dropped.",
    code="input_audio_buffer_overrun",
    param="audio",
)
_REPLIED = 2**20  # bytes a second that requests may be replied with, answers aside
_LONGEST_APPEND = 20.0  # seconds in which the sound of one message is taken in, as far as it goes
_LEAVING_PERIOD = 0.5  # seconds between two looks whether a client that waits has left
_WORK_SHARE = 0.25  # of the time may go into reading the messages of one client
_WORK_SAVED = 1.0  # seconds of such work that may be done at once
_PIECE = HEAR_RATE // 2  # samples handed over at a time, so that an overrun loses no more


class ConversationBackend(Protocol):
    """The conversation behind the wire (duplex.orchestrator.Orchestrator)."""

    async def run(self) -> None: ...
    def hear(self, samples: Samples) -> None: ...
    def handle(self, event: Event) -> None: ...
    def snapshot(self) -> Snapshot: ...
    def change(self, *, instructions: tuple[str, ...], tools: tuple[Tool, ...]) -> None: ...

    @property
    def backlog(self) -> float: ...


class ConnectionClosing(Exception):
    """The connection ends. `is_gone`: the client has left already."""

    def __init__(self, code: int, reason: str = "", *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.is_gone = is_gone


@dataclass(frozen=True, slots=True)
class Bounds:
    """When this connection has to end: limits, the session's end on the loop's clock (None: no
    end), and the server's drain. `keeper` makes that the conversation outlives it."""

    limits: Limits
    ends_at: float | None
    leaving: Leaving
    keeper: SnapshotKeeper


class ClientLoop:
    """Serves one client. `emit` is what the conversation calls with everything it has to tell."""

    def __init__(
        self,
        connection: Connection,
        decoder: MessageDecoder,
        encoder: Encoder,
        bounds: Bounds,
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        self._decoder = decoder
        self._encoder = encoder
        self._bounds = bounds
        self._metrics = metrics
        self._clock = asyncio.get_running_loop().time
        self.outbox = Outbox(bounds.limits.unread, self._clock)
        self._last_message = self._clock()
        self._is_expelled = False
        self._allowance = _allowance(bounds.limits.messages_a_second, self._clock)
        self._replies = TokenBucket(_REPLIED, 4 * _REPLIED, self._clock)
        self._work = TokenBucket(_WORK_SHARE, _WORK_SAVED, self._clock)

    # ------------------------------------------------------------------------------ running

    async def run(self, talk: ConversationBackend) -> int:
        """Serve until either side ends it; give the close code."""
        self._put(self._encoder.session_event("session.created"))
        over = ConnectionClosing(NORMAL)
        try:
            async with asyncio.TaskGroup() as group:
                for work in (talk.run(), self._read(talk), self._write(), self._watch()):
                    group.create_task(work)
                group.create_task(self._leave(talk))
                group.create_task(self._keep(talk))
        except* (ConnectionClosing, Disconnected) as ends:
            over = _first(ends).with_traceback(None)  # its frames would keep the session
            if over.is_gone and self._is_expelled:  # whichever task noticed it first
                over = ConnectionClosing(POLICY, is_gone=True)
        except* Exception:
            logger.exception("a session broke")
            over = ConnectionClosing(BROKEN, "internal error")
            self._tell(Refusal("The server failed; this session is lost.", code="server_error"))
        await self._close(over)
        is_over = over.code == NORMAL
        is_lost = over.is_gone and not is_over
        await self._bounds.keeper.finish(talk.snapshot, is_over=is_over, is_lost=is_lost)
        return over.code

    def emit(self, outgoing: Outgoing) -> None:
        """Never blocks. A client that takes in nothing is ended by the watch."""
        self._bounds.leaving.follow(outgoing)
        self._bounds.keeper.follow(outgoing)
        if isinstance(outgoing, actions.ResponseEnded):
            if outgoing.status is actions.ResponseStatus.CANCELLED:
                self.outbox.drop_sound(outgoing.response_id)
        sound_of = outgoing.response_id if isinstance(outgoing, AnswerSound) else None
        for event in self._encoder.encode(outgoing):
            self._put(event, sound_of)
        if isinstance(outgoing, actions.ResponseEnded):
            self._put(self._encoder.rate_limits(self._allowance.left, round(self._allowance.rate)))

    # ------------------------------------------------------------------------------ the reader

    async def _read(self, talk: ConversationBackend) -> None:
        while True:
            # No message is kept while what it asks for is done: a large one takes its time.
            for step in await self._next_steps():
                await self._apply(step, talk)
            await self._wait(self._decoder.pause())
            await self._wait(self._replies.take(0))
            await self._wait(self._work.take(0))
            await asyncio.sleep(0)  # a message that is there already is read without waiting

    async def _next_steps(self) -> list[Step]:
        """What the next message asks for; nothing where it is refused."""
        text = await self._connection.receive()
        self._last_message = self._clock()
        self._bounds.keeper.hear_of_client()
        await self._wait_for_allowance()
        began = self._clock()
        try:
            if text is None:
                raise Refusal("Messages are JSON text; binary frames are not taken.")
            return await self._decoder.decode(text)
        except Refusal as refusal:
            self._tell(refusal)
            return []
        except NoText:
            raise ConnectionClosing(NO_TEXT, "no UTF-8") from None
        finally:
            self._work.take(min(self._clock() - began, _WORK_SAVED))

    async def _wait_for_allowance(self) -> None:
        """A client that sends too many messages is read more slowly, at its own expense."""
        await self._wait(self._allowance.take())

    async def _wait(self, seconds: float) -> None:
        """Read nothing more for so long, unless the client leaves meanwhile."""
        if seconds > 0:
            self._metrics.throttled.inc(seconds)
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if self._connection.has_left():
                raise Disconnected(LOST)
            await asyncio.sleep(min(left, _LEAVING_PERIOD))

    async def _apply(self, step: Step, talk: ConversationBackend) -> None:
        match step:
            case AudioReceived(samples=samples):
                await self._hear(samples, talk)
            case LongAudioReceived():
                until = self._clock() + _LONGEST_APPEND
                for samples in step.pieces():
                    if self._clock() > until:  # the client may be gone: nothing behind it is read
                        self._tell(_OVERRUN)
                        break
                    await self._hear(samples, talk)
                    await asyncio.sleep(0)
            case Configured(session=session):
                self._encoder.session = session
                self._bounds.keeper.configure(session)
                talk.change(instructions=(session.instructions,), tools=session.model_tools())
                await self._hand_over(lambda: talk.handle(SettingsChanged(step.settings)), talk)
                self._put(self._encoder.session_event("session.updated"))
            case _:
                await self._hand_over(lambda: talk.handle(step), talk)

    async def _hear(self, samples: Samples, talk: ConversationBackend) -> None:
        self._metrics.heard_audio.inc(len(samples) / HEAR_RATE)
        for piece in _pieces(samples):
            if not await self._hand_over(partial(talk.hear, piece), talk):
                self._metrics.dropped_audio.inc(len(piece) / HEAR_RATE)
        await self._wait(self._decoder.sound_pause(len(samples)))

    async def _hand_over(self, give: Callable[[], None], talk: ConversationBackend) -> bool:
        """A client that sends faster than can be heard is read no faster than that; only where
        nothing moves at all is something dropped, and said so."""
        until = self._clock() + _OVERRUN_PATIENCE
        while True:
            try:
                give()
                return True
            except InputOverrun:
                if self._connection.has_left():
                    raise Disconnected(LOST) from None
                if self._clock() > until:
                    self._tell(_OVERRUN)
                    return False
            await asyncio.sleep(_OVERRUN_PERIOD)

    # ------------------------------------------------------------------------------ the writer

    async def _write(self) -> None:
        while True:
            await self._connection.send(await self.outbox.get())

    def _tell(self, refusal: Refusal) -> None:
        self._metrics.errors.labels(refusal.code or "none").inc()
        kind = "server_error" if refusal.code == "server_error" else "invalid_request_error"
        self._put(self._encoder.refusal(refusal, kind))

    def _put(self, event: dict[str, Any], sound_of: int | None = None) -> None:
        payload = orjson.dumps(event)
        if not event["type"].startswith("response."):
            self._replies.take(len(payload))  # a small request can have a large reply
        try:
            self.outbox.put(payload, sound_of)
        except OutboxFull:
            self._force_close("the client does not read")

    # ------------------------------------------------------------------------------- the watch

    async def _watch(self) -> None:
        limits = self._bounds.limits
        while True:
            await asyncio.sleep(_WATCH_PERIOD)
            now = self._clock()
            if self._bounds.ends_at is not None and now >= self._bounds.ends_at:
                self._tell(Refusal("The session has reached its end.", code="session_expired"))
                raise ConnectionClosing(GOING_AWAY, "session expired")
            if now - self._last_message > limits.idle:
                self._tell(Refusal("Nothing was sent for too long.", code="session_idle"))
                raise ConnectionClosing(NORMAL, "idle")
            if self.outbox.age > limits.unread_seconds:
                self._force_close("the client does not read")

    async def _leave(self, talk: ConversationBackend) -> None:
        """The server ends: so does the call, when nobody speaks. A client that asked for it is
        told how to go on elsewhere, once the store has the conversation."""
        leaving, keeper = self._bounds.leaving, self._bounds.keeper
        await leaving.due()
        is_kept = await keeper.flush(talk.snapshot)
        while not leaving.may_end:  # somebody has begun to speak while it was written
            await leaving.due()
            is_kept = await keeper.flush(talk.snapshot)
        if is_kept:
            self._put(self._encoder.draining(keeper.token))
        raise ConnectionClosing(RESTART, "the server is shutting down")

    async def _keep(self, talk: ConversationBackend) -> None:
        """Keep the conversation; when its client has gone on over another connection, end here."""
        try:
            await self._bounds.keeper.run(talk.snapshot)
        except AlreadyTaken:
            said = "This conversation goes on over another connection."
            self._tell(Refusal(said, code="session_resumed"))
            raise ConnectionClosing(GOING_AWAY, "resumed elsewhere") from None

    def _force_close(self, reason: str) -> None:
        """The reader sees the end of it as a disconnect."""
        self._is_expelled = True
        self._connection.force_close(POLICY, reason)

    async def _close(self, over: ConnectionClosing) -> None:
        if over.is_gone:
            return
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while (payload := self.outbox.get_nowait()) is not None:
                    await self._connection.send(payload)
                await self._connection.close(over.code, over.reason)
        except (TimeoutError, Disconnected):
            self._force_close(over.reason or "closing")


def _allowance(rate: int, clock: Callable[[], float]) -> TokenBucket:
    """So many messages a second, and a burst of one second's worth."""
    return TokenBucket(rate, rate, clock)


def _pieces(samples: Samples) -> Iterator[Samples]:
    yield from np.split(samples, range(_PIECE, len(samples), _PIECE)) if len(samples) else ()


def _first(group: BaseExceptionGroup[ConnectionClosing | Disconnected]) -> ConnectionClosing:
    """Of several ends at once, the one that says that the client is gone, else the first."""
    ends = list(_leaves(group))
    gone = next((end for end in ends if isinstance(end, Disconnected)), None)
    if gone is not None:
        return ConnectionClosing(gone.code, is_gone=True)
    return next(end for end in ends if isinstance(end, ConnectionClosing))


def _leaves(
    group: BaseExceptionGroup[ConnectionClosing | Disconnected],
) -> Iterator[ConnectionClosing | Disconnected]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner
