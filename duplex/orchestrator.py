"""The shell round the pure core: it feeds the session and carries out its actions.

All decisions are the session's. Here is only what needs a clock and the models: voice activity for
each window of the microphone, the monitor's hearing, answers, and the sound of the current answer
on its way out. Who plays which role is duplex.roles' affair.

Everything that happens goes through one door, `_post`: an event is handled to its last action
before the next one is looked at, whoever brings it and whenever.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from audio.frame import Samples
from audio.recent import RecentAudio
from audio.voice_end import VoiceEnd
from duplex import actions, events
from duplex.endpointing import Settings
from duplex.playout import AnswerSound, AudioStore, ResponseTasks
from duplex.roles import Lease, Roles
from duplex.session import Session, Snapshot
from duplex.speaker_watch import SpeakerWatch
from duplex.stream_worker import SessionServices, StreamWorker, WorkerReport
from duplex.trace import Measured, Observer, Record
from models.base import (
    HEAR_RATE,
    Conversation,
    Instructions,
    SpeakerEncoder,
    Tool,
    VoiceActivityDetector,
)
from models.capabilities import capabilities_of

logger = logging.getLogger(__name__)

# User audio that may wait to be processed; more is refused.
MAX_BACKLOG = 10 * HEAR_RATE
MAX_EVENTS = 64  # of a client that may wait behind each other
# Sound that waits beyond this has come faster than it was spoken, or was held up on its way.
MAX_AHEAD = round(0.3 * HEAR_RATE)
# A window that is so surely voice tells whose voice it is.
VOICE_MIN_PROBABILITY = 0.5
JUDGING_PERIOD_S = 0.25  # a verdict that was given up is noticed after this
# What is kept of the microphone: the longest segment, its padding, and a stall.
RECORDING = 60 * HEAR_RATE

Outgoing: TypeAlias = actions.Notice | AnswerSound
_Arrival: TypeAlias = "Samples | events.Event"


class InputOverrun(Exception):
    """The user's audio comes in faster than it can be processed, for ten seconds."""


class Orchestrator:
    """One session's shell. `emit` gets every notice and the sound in order; it never blocks.
    Without a `speaker_encoder` all voices are alike."""

    def __init__(
        self,
        *,
        lease: Lease,
        detector: VoiceActivityDetector,
        emit: Callable[[Outgoing], None],
        settings: Settings | None = None,
        conversation: Conversation | None = None,
        token: str = "0",
        speaker_encoder: SpeakerEncoder | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._lease = lease
        self._detector = detector
        self._emit = emit
        self._observers = observers
        self._can = capabilities_of(lease.pair.first)
        self._settings = self._paced(settings or Settings())
        self._opening = conversation or Conversation()
        self.session = Session(token, self._settings)
        self._recording = RecentAudio(RECORDING)
        self._voice_end = VoiceEnd()
        self._audio_store = AudioStore()
        self._responses = ResponseTasks()
        self._speakers = SpeakerWatch(speaker_encoder, self._post)
        self._arrivals: asyncio.Queue[_Arrival] = asyncio.Queue(maxsize=4096)
        self._backlog = 0  # samples among the arrivals
        self._waiting_events = 0  # events among them
        self._measured = 0  # samples judged by the detector
        self._posted: deque[events.Event | None] = deque()
        self._past: Snapshot | None = None
        self._judged = asyncio.Event()  # something was said of what is heard
        self._is_stepping = False
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        services = SessionServices(
            self._recording, self._audio_store, self._responses, self._on_report, self._measure
        )
        self._roles = Roles(
            lease,
            services,
            lambda: self._opening,
            lambda: self._post(events.MonitorUnresponsive()),
        )

    # -------------------------------------------------------------------- what the edge calls

    def hear(self, samples: Samples) -> None:
        """Take user audio, [n] at 16 kHz, in order. Raises InputOverrun."""
        if self._backlog + len(samples) > MAX_BACKLOG or self._arrivals.full():
            raise InputOverrun
        self._backlog += len(samples)
        self._responses.arrived(len(samples), self._now)
        self._arrivals.put_nowait(samples)

    def handle(self, event: events.Event) -> None:
        """Take a client's event, in order with the audio before it. Raises InputOverrun."""
        if self._arrivals.full() or self._waiting_events >= MAX_EVENTS:
            raise InputOverrun
        self._waiting_events += 1
        self._arrivals.put_nowait(event)

    def change(self, *, instructions: tuple[str, ...], tools: tuple[Tool, ...]) -> None:
        """New instructions or tools: fresh streams are opened with them in the background."""
        items = tuple(Instructions(text) for text in instructions if text)
        if Conversation(items, tools) == self._opening:
            return
        self._opening = Conversation(items, tools)
        self._roles.renew()

    def resume(self, past: Snapshot) -> None:
        """Go on with a conversation that another session has had; called before `run`."""
        self._past = past

    def snapshot(self) -> Snapshot:
        """The conversation as it stands now, for another session to go on with."""
        return self.session.snapshot(self._now, self.sound_of)

    def sound_of(self, item_id: str) -> Samples | None:
        """An item's sound: 16 kHz for a user's, 24 kHz for the assistant's; None if not kept."""
        return self._audio_store.samples(item_id)

    @property
    def backlog(self) -> float:
        """Seconds of user audio that wait to be processed."""
        return self._backlog / HEAR_RATE

    def release(self) -> None:
        """Give back what was kept of what was said, once the session is over, instead of leaving it
        to the garbage collector."""
        self._roles.release()
        self.session.conversation.clear()
        self._audio_store.clear()
        self._recording.clear()
        self._speakers.forget()
        while not self._arrivals.empty():
            self._arrivals.get_nowait()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    await self._work(group)
                finally:
                    self._close()
        finally:
            self._conclude()
            self._lease.release()

    async def _work(self, group: asyncio.TaskGroup) -> None:
        self._roles.start(group)
        self._speakers.start(group)
        # The first record of a trace says how this session takes turns.
        self._post(events.SettingsChanged(self._settings))
        if self._past is not None:
            for item_id, sound in self._past.sounds.items():
                self._audio_store.keep_samples(item_id, sound)
            self._post(self._past.resumed)
        while True:
            arrival = await self._arrivals.get()
            if isinstance(arrival, np.ndarray):
                await self._listen(arrival)
                continue
            self._waiting_events -= 1
            if isinstance(arrival, events.CommitRequested):
                received = self._recording.end / HEAR_RATE
                arrival = replace(arrival, received_until=received)
            self._post(arrival)
            await asyncio.sleep(0)  # whoever sends many events has his turn among the others

    def _close(self) -> None:
        """Take no more events and start no more work."""
        self._is_closed = True
        self._roles.close()
        self._speakers.close()
        if self._timer is not None:
            self._timer.cancel()

    # ------------------------------------------------------------------------------- input

    async def _listen(self, sound: Samples) -> None:
        window = self._detector.window
        probabilities = await self._detector.detect(sound)
        self._backlog -= len(sound)
        self._recording.append(sound)
        left = len(probabilities)
        for probability in probabilities:
            left -= 1
            await self._until_judged(left * window)
            start, self._measured = self._measured, self._measured + window
            measured = self._judge_window(start, self._measured, float(probability))
            self._post(replace(measured, more_waits=self._backlog + left > 0))
            self._follow_speaker(measured)
        self._roles.monitor.hear()

    async def _until_judged(self, left: int) -> None:
        """Sound that has come faster than it was spoken waits for the verdict on the pause before
        it, so that its own time decides; `left` samples are in hand beside the arrivals."""
        while self._backlog + left > MAX_AHEAD and self.session.waits_for_verdict(self._now):
            self._judged.clear()
            self._roles.monitor.hear()
            with suppress(TimeoutError):
                async with asyncio.timeout(JUDGING_PERIOD_S):
                    await self._judged.wait()

    def _judge_window(self, start: int, end: int, probability: float) -> events.VoiceMeasured:
        sound = self._recording.slice(start, end)
        is_echo = self._responses.is_echo(sound)
        self._voice_end.push(sound)
        until = self._voice_end.refined(end) / HEAR_RATE
        return events.VoiceMeasured(start / HEAR_RATE, end / HEAR_RATE, probability, is_echo, until)

    def _follow_speaker(self, window: events.VoiceMeasured) -> None:
        is_voice = window.probability >= VOICE_MIN_PROBABILITY and not window.echo
        if is_voice:
            start, end = round(window.start * HEAR_RATE), round(window.end * HEAR_RATE)
            self._speakers.hear(self._recording.slice(start, end), window.end)

    def _on_report(
        self, worker: StreamWorker, report: WorkerReport, samples: Samples | None
    ) -> None:
        if self._responses.admit(worker, report, samples):
            self._post(report)
        self._judged.set()

    @property
    def _now(self) -> float:
        return round(self._loop.time() - self._began, 6)  # as exact as a trace keeps it

    def _post(self, event: events.Event | None) -> None:
        """The one door to the core. `event` None: its deadline has come."""
        if self._is_closed:
            return
        if isinstance(event, events.SettingsChanged):  # a client does not know the model's pace
            paced = self._paced(event.settings)
            event = events.SettingsChanged(paced)
            if not paced.speaker_profile:
                self._speakers.forget()
        self._posted.append(event)
        if self._is_stepping:
            return
        self._is_stepping = True
        try:
            while self._posted:
                self._step(self._posted.popleft())
        finally:
            self._is_stepping = False

    def _paced(self, settings: Settings) -> Settings:
        can = self._can
        return settings.paced(is_streamed=can.is_streamed, asks_ahead=can.writes_first)

    def _step(self, event: events.Event | None) -> None:
        now = self._now
        if event is None:
            self._record(Record(now, "timer"))
            found = self.session.handle_timer(now)
        else:
            self._record(Record(now, "event", event))
            found = self.session.handle(event, now)
        for action in found:
            self._record(Record(now, "action", action))
            self._apply(action, now)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.session.deadline
        self._timer = (
            None if due is None else self._loop.call_at(self._began + due, self._post, None)
        )

    def _conclude(self) -> None:
        """Every segment gets its decision, though nobody is left to act on it."""
        now, ended = self._now, events.SessionEnded()
        self._record(Record(now, "event", ended))
        for action in self.session.handle(ended, now):
            self._record(Record(now, "action", action))

    def _record(self, record: Record) -> None:
        for observer in self._observers:
            observer.record(record)

    def _measure(self, what: str, value: float) -> None:
        self._record(Record(self._now, "note", Measured(what, value)))

    # ----------------------------------------------------------------------------- actions

    def _apply(self, action: actions.Action, now: float) -> None:
        roles = self._roles
        match action:
            case actions.BeginHearing():
                self._begin_hearing(action)
            case actions.FlushHearing():
                until, silence = round(action.until * HEAR_RATE), round(action.silence * HEAR_RATE)
                roles.monitor.flush(action.segment, until, silence)
            case actions.EndHearing():
                self._end_hearing(action)
            case actions.CompareSpeaker():
                self._speakers.compare(action.segment)
            case actions.LearnSpeaker():
                self._speakers.learn(action.segment)
            case actions.StartAnswer():
                roles.start_answer(action)
            case actions.ConfirmAnswer():
                roles.swap()
            case actions.CancelAnswer():
                roles.cancel(action.response_id, rewind=action.rewind)
            case actions.SyncMonitor():
                roles.monitor.sync(action.context)
            case actions.ReplaceMonitor():
                roles.replace_monitor()
                if action.resume is not None:
                    self._begin_hearing(action.resume)
            case actions.SendAudio():
                self._emit(self._responses.send(action, now))
            case actions.ResponseEnded():
                self._end_response(action)
                self._emit(action)
            case actions.ItemDeleted():
                self._audio_store.forget(action.item_id)
                self._emit(action)
            case _:
                self._emit(action)

    def _begin_hearing(self, action: actions.BeginHearing) -> None:
        start = round(action.start * HEAR_RATE)
        self._speakers.begin(action.segment)
        self._roles.monitor.begin(action.segment, start, action.context)

    def _end_hearing(self, action: actions.EndHearing) -> None:
        if action.item_id is not None:
            start, end = round(action.start * HEAR_RATE), round(action.until * HEAR_RATE)
            self._audio_store.keep_samples(action.item_id, self._recording.slice(start, end))
        self._speakers.end()
        self._roles.monitor.end(action.segment, action.item_id)

    def _end_response(self, notice: actions.ResponseEnded) -> None:
        task = self._responses.close(notice.response_id)
        if task is None:
            return
        sound = task.buffer.sent()
        if notice.item_id is not None and len(sound):
            self._audio_store.keep_samples(notice.item_id, sound)
        if task.own_stream:
            self._roles.dismiss(task.worker)
