"""The shell round the pure core: one inbox, one timer, two partners.

It feeds the session and obeys it; all decisions are the session's. Here is only what needs a clock
and the models: voice activity for each window of the microphone, the monitor's hearing, answers,
and the sound of the current answer on its way out. Who plays which role is duplex.roles' affair.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from audio.frame import Samples
from audio.recent import RecentAudio
from audio.voice_end import VoiceEnd
from duplex import actions as do
from duplex import events as happened
from duplex.context import readable
from duplex.outlet import AnswerOutlet, AnswerSound
from duplex.pair import Lease
from duplex.partner import Partner
from duplex.roles import Roles, Shared
from duplex.session import Session
from duplex.settings import Settings
from duplex.sounds import Sounds
from duplex.trace import Measured, Observer, Record
from models.base import (
    HEAR_RATE,
    AnswerChunk,
    Conversation,
    Instructions,
    Tool,
    VoiceActivityDetector,
)

logger = logging.getLogger(__name__)

# User audio that may wait to be processed (DESIGN, Catch-up); more is refused.
LONGEST_BACKLOG = 10 * HEAR_RATE
# What is kept of the microphone: the longest segment, its padding, and a stall.
RECORDING = 60 * HEAR_RATE

Outgoing: TypeAlias = do.Notice | AnswerSound
_Inbound: TypeAlias = "Samples | happened.Event"


class InputOverrun(Exception):
    """The user's audio comes in faster than it can be processed, for ten seconds."""


class Orchestrator:
    """One session's shell. `outlet` gets every notice and the sound in order; it never blocks."""

    def __init__(
        self,
        *,
        lease: Lease,
        detector: VoiceActivityDetector,
        outlet: Callable[[Outgoing], None],
        settings: Settings | None = None,
        conversation: Conversation | None = None,
        token: str = "0",
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._lease = lease
        self._detector = detector
        self._outlet = outlet
        self._observers = observers
        self._conversation = conversation or Conversation()
        self.session = Session(token, settings)
        self._recording = RecentAudio(RECORDING)
        self._voice_end = VoiceEnd()
        self._sounds = Sounds()
        self._voice = AnswerOutlet()
        self._inbox: asyncio.Queue[_Inbound] = asyncio.Queue(maxsize=4096)
        self._backlog = 0  # samples in the inbox
        self._measured = 0  # samples judged by the detector
        self._timer: asyncio.TimerHandle | None = None
        self._segment_start: dict[int, int] = {}
        shared = Shared(
            self._recording,
            self._sounds,
            self._step,
            self._take_sound,
            self._voice.room,
            self._measure,
        )
        self._roles = Roles(lease, shared, lambda: self._conversation, self._replace)

    # -------------------------------------------------------------------- what the edge calls

    def hear(self, samples: Samples) -> None:
        """Take user audio, [n] at 16 kHz, in order. Raises InputOverrun."""
        if self._backlog + len(samples) > LONGEST_BACKLOG or self._inbox.full():
            raise InputOverrun
        self._backlog += len(samples)
        self._voice.arrived(len(samples), self._now)
        self._inbox.put_nowait(samples)

    def handle(self, event: happened.Event) -> None:
        """Take a client's event, in order with the audio before it. Raises InputOverrun."""
        if self._inbox.full():
            raise InputOverrun
        self._inbox.put_nowait(event)

    def change(self, *, instructions: tuple[str, ...], tools: tuple[Tool, ...]) -> None:
        """New instructions or tools: fresh streams are opened with them in the background."""
        items = tuple(Instructions(text) for text in instructions if text)
        if Conversation(items, tools) == self._conversation:
            return
        self._conversation = Conversation(items, tools)
        self._roles.renew()

    def sound_of(self, item_id: str) -> Samples | None:
        """An item's sound: 16 kHz for a user's, 24 kHz for the assistant's; None if not kept."""
        return self._sounds.samples(item_id)

    @property
    def backlog(self) -> float:
        """Seconds of user audio that wait to be processed."""
        return self._backlog / HEAR_RATE

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._roles.start(group)
                # The first record of a trace says how this session takes turns.
                self._step(happened.SettingsChanged(self.session.settings))
                while True:
                    await self._take(await self._inbox.get())
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._conclude()
            self._lease.release()

    # ------------------------------------------------------------------------------- input

    async def _take(self, inbound: _Inbound) -> None:
        if not isinstance(inbound, np.ndarray):
            self._step(inbound)
            return
        sound = inbound
        window = self._detector.window
        probabilities = await self._detector.detect(sound)
        self._backlog -= len(sound)
        self._recording.append(sound)
        for probability in probabilities:
            start, self._measured = self._measured, self._measured + window
            self._step(self._judge_window(start, self._measured, float(probability)))
        if self.session.listening.segment is not None:
            self._roles.monitor.hear()

    def _judge_window(self, start: int, end: int, probability: float) -> happened.VoiceMeasured:
        sound = self._recording.slice(start, end)
        is_echo = self._voice.is_echo(sound)
        self._voice_end.push(sound)
        until = self._voice_end.refined(end) / HEAR_RATE
        return happened.VoiceMeasured(
            start / HEAR_RATE, end / HEAR_RATE, probability, is_echo, until
        )

    @property
    def _now(self) -> float:
        return round(self._loop.time() - self._began, 6)  # as exact as a trace keeps it

    def _step(self, event: happened.Event) -> None:
        now = self._now
        self._record(Record(now, "event", event))
        self._obey_all(self.session.handle(event, now), now)

    def _on_timer(self) -> None:
        now = self._now
        self._record(Record(now, "timer"))
        self._obey_all(self.session.handle_timer(now), now)

    def _obey_all(self, actions: list[do.Action], now: float) -> None:
        for action in actions:
            self._record(Record(now, "action", action))
            self._obey(action, now)
        if self._timer is not None:
            self._timer.cancel()
        due = self.session.deadline
        self._timer = None if due is None else self._loop.call_at(self._began + due, self._on_timer)

    def _conclude(self) -> None:
        """Every segment gets its decision, though nobody is left to obey or to be told."""
        now, ended = self._now, happened.SessionEnded()
        self._record(Record(now, "event", ended))
        for action in self.session.handle(ended, now):
            self._record(Record(now, "action", action))

    def _record(self, record: Record) -> None:
        for observer in self._observers:
            observer.record(record)

    def _measure(self, what: str, value: float) -> None:
        self._record(Record(self._now, "note", Measured(what, value)))

    # ------------------------------------------------------------------------------ obeying

    def _obey(self, action: do.Action, now: float) -> None:
        match action:
            case do.BeginHearing():
                self._begin_hearing(action, now)
            case do.FlushHearing():
                self._roles.monitor.flush(action.segment, round(action.until * HEAR_RATE))
            case do.EndHearing():
                self._end_hearing(action)
            case do.StartAnswer():
                self._start_answer(action, now)
            case do.ConfirmAnswer():
                self._swap(now)
            case do.CancelAnswer():
                self._cancel(action)
            case do.MarkIll():
                self._replace_monitor(action.segment, now)
            case do.SendAudio():
                self._outlet(self._voice.send(action, now))
            case _:
                self._tell(action, now)

    def _tell(self, notice: do.Notice, now: float) -> None:
        if isinstance(notice, do.ResponseEnded):
            self._end_response(notice, now)
        self._outlet(notice)

    def _begin_hearing(self, action: do.BeginHearing, now: float) -> None:
        start = round(action.start * HEAR_RATE)
        self._segment_start = {action.segment: start}
        self._roles.monitor.begin(action.segment, start, self.session.journal(now))

    def _end_hearing(self, action: do.EndHearing) -> None:
        start = self._segment_start.pop(action.segment, None)
        if action.item_id is not None and start is not None:
            sound = self._recording.slice(start, round(action.until * HEAR_RATE))
            self._sounds.keep_samples(action.item_id, sound)
        monitor = self._roles.monitor
        if action.item_id is not None and monitor.has_ended(action.segment):
            monitor.keep_answered(action.segment, action.item_id)
        else:
            monitor.end(action.segment, action.item_id)

    def _start_answer(self, action: do.StartAnswer, now: float) -> None:
        self._voice.open(action.response_id)
        in_conversation = self.session.answering.current is not None and (
            self.session.answering.current.response_id == action.response_id
        )
        if action.items is not None or not in_conversation:
            self._answer_beside(action, now)
            return
        journal = None if action.segment is not None else self.session.journal(now)
        self._roles.answer(action.response_id, action.options, journal)
        if not action.speculative:
            self._swap(now)

    def _answer_beside(self, action: do.StartAnswer, now: float) -> None:
        items = action.items
        if items is None:
            notes = readable(self.session.journal(now))
            items = tuple(self._sounds.resolve(note.content) for note in notes)
        opening = Conversation(self._conversation.items + items, self._conversation.tools)
        self._roles.answer_beside(action.response_id, action.options, opening)

    def _swap(self, now: float) -> None:
        self._roles.swap()
        self._catch_up(now)

    def _catch_up(self, now: float) -> None:
        """Between segments the monitor comes to know the conversation as it stands."""
        if self.session.listening.segment is None:
            self._roles.monitor.agree(self.session.journal(now))

    def _cancel(self, action: do.CancelAnswer) -> None:
        if action.rewind:
            self._voice.close(action.response_id)
        self._roles.cancel(action.response_id, rewind=action.rewind)

    def _replace(self, partner: Partner) -> None:
        """A partner that does not stop."""
        if partner is self._roles.monitor:
            self._replace_monitor(None, self._now)
        else:
            self._roles.replace(partner)

    def _replace_monitor(self, segment: int | None, now: float) -> None:
        """Let a fresh stream monitor: hear the open segment again, faster than real time."""
        fresh = self._roles.replace(self._roles.monitor)
        open_segment = self.session.listening.segment
        if open_segment is not None:
            start = self._segment_start.get(open_segment.number, self._measured)
            fresh.begin(open_segment.number, start, self.session.journal(now))
        elif segment is None:
            fresh.agree(self.session.journal(now))

    def _end_response(self, notice: do.ResponseEnded, now: float) -> None:
        turn = self.session.conversation.answer_of(notice.response_id)
        sound = self._voice.close(notice.response_id)
        if turn is not None and len(sound):
            self._sounds.keep_samples(turn.item_id, sound)
        if not self._roles.end_answer(notice.response_id):
            self._catch_up(now)

    def _take_sound(self, response_id: int, chunk: AnswerChunk) -> None:
        if chunk.text:
            self._step(happened.AnswerTextMade(response_id, chunk.text))
        if chunk.samples is not None and len(chunk.samples):
            self._voice.make(response_id, chunk.samples, chunk.words)
            self._step(happened.AnswerSoundMade(response_id, len(chunk.samples), chunk.words))
