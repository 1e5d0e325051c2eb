"""The pure core: handle(event, now) -> actions, one deadline, handle_timer(now) -> actions.

It knows no clock, no network and no model. Time comes in as `now` (seconds of session time, never
going back); the next moment at which it wants to be called is `deadline`, in the manner of aioquic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from duplex import actions as do
from duplex import events as happened
from duplex.answering import Answering
from duplex.conversation import Conversation, Note
from duplex.listening import Listening
from duplex.overlap import Overlap
from duplex.requests import Requests
from duplex.settings import Settings, TurnDetection
from duplex.states import Floor
from duplex.turns import Turns

# Sums of times differ in the last bits; a timer must never come a hair too early, for ever.
ROUNDING = 1e-6


class Session:
    """One conversation. `token` makes its item ids unique among sessions."""

    def __init__(self, token: str, settings: Settings | None = None) -> None:
        self.floor = Floor()
        self.conversation = Conversation()
        self.answering = Answering(self.conversation, self.floor, self._emit)
        self.turns = Turns(self.conversation, self.answering, self._emit, token)
        overlap = Overlap(self.floor, self.answering, self._emit)
        self.listening = Listening(self.floor, self.turns, overlap, self.answering, self._emit)
        self.requests = Requests(self.turns, self.listening, self.answering, self._emit)
        self._actions: list[do.Action] = []
        self._shown = (self.floor.user, self.floor.assistant)
        self._now = 0.0
        self._handlers: dict[type, Callable[[Any], None]] = {
            happened.VoiceMeasured: lambda e: self.listening.measure(e, self._now),
            happened.VerdictGiven: lambda e: self.listening.take_verdict(e, self._now),
            happened.HearingFailed: self.listening.take_failure,
            happened.AnswerTextMade: self._on_text,
            happened.AnswerSoundMade: self._on_sound,
            happened.AnswerCallMade: self._on_call,
            happened.AnswerFinished: self._on_finished,
            happened.AnswerFailed: self._on_failed,
            happened.SettingsChanged: lambda e: self.configure(e.settings),
            happened.CommitRequested: lambda e: self.requests.commit(e, self._now),
            happened.ClearRequested: self.requests.clear,
            happened.ItemOffered: self.requests.offer,
            happened.ItemDeleteRequested: self.requests.delete,
            happened.ItemRetrieveRequested: self.requests.retrieve,
            happened.ItemTruncateRequested: self._on_truncate,
            happened.ResponseRequested: lambda e: self.requests.respond(e, self._now),
            happened.CancelRequested: lambda e: self.requests.cancel(e, self._now),
            happened.PlayoutReported: lambda e: self.requests.report_playout(e, self._now),
            happened.SessionEnded: self._on_ended,
        }
        self.configure(settings or Settings())

    @property
    def settings(self) -> Settings:
        return self.listening.settings

    def configure(self, settings: Settings) -> None:
        self.listening.configure(settings)
        self.answering.configure(settings)

    def journal(self, now: float) -> tuple[Note, ...]:
        """What the monitor has to know before it hears the open segment: everything said so far,
        of the running answer exactly the words heard by `now`."""
        current, segment = self.answering.current, self.listening.segment
        if current is None or not current.is_confirmed:
            return self.conversation.journal()
        goes_on = segment is not None and segment.goes_on
        return self.conversation.journal(
            current.response_id, current.clock.heard(now), without=goes_on
        )

    # ------------------------------------------------------------------------ in and out

    def handle(self, event: happened.Event, now: float) -> list[do.Action]:
        """Take one event; give what is to be done now, in order."""
        self._now = now
        self._handlers[type(event)](event)
        return self._settle(now)

    def handle_timer(self, now: float) -> list[do.Action]:
        """The deadline has come (or any other moment: calling too early is harmless)."""
        self._now = now
        self.listening.look(now)
        self._watch_idle(now)
        return self._settle(now)

    @property
    def deadline(self) -> float | None:
        """Session time at which `handle_timer` wants to be called, None: not by itself."""
        times = (self.answering.deadline(self._now), self.listening.deadline(), self._idle_at())
        due = min((time for time in times if time is not None), default=None)
        return None if due is None else due + ROUNDING

    def _settle(self, now: float) -> list[do.Action]:
        self.answering.pump(now)
        self.turns.answer_waiting(now)
        shown = (self.floor.user, self.floor.assistant)
        if shown != self._shown:
            self._shown = shown
            self._emit(do.ShowState(shown[0].value, shown[1].value))
        actions, self._actions = self._actions, []
        return actions

    def _emit(self, action: do.Action) -> None:
        self._actions.append(action)

    # ------------------------------------------------------------------ output of the models

    def _on_text(self, event: happened.AnswerTextMade) -> None:
        if response := self.answering.find(event.response_id):
            self.answering.take_text(response, event.text, self._now)

    def _on_sound(self, event: happened.AnswerSoundMade) -> None:
        if response := self.answering.find(event.response_id):
            self.answering.take_sound(response, event.samples, event.words, self._now)

    def _on_call(self, event: happened.AnswerCallMade) -> None:
        if response := self.answering.find(event.response_id):
            response.last_progress = self._now
            response.calls.append((event.name, event.arguments))

    def _on_finished(self, event: happened.AnswerFinished) -> None:
        if response := self.answering.find(event.response_id):
            response.is_finished = True
            response.is_incomplete = event.incomplete

    def _on_failed(self, event: happened.AnswerFailed) -> None:
        if response := self.answering.find(event.response_id):
            self.answering.fail(response, self._now, event.reason)

    def _on_truncate(self, event: happened.ItemTruncateRequested) -> None:
        self.requests.truncate(event, self._now, strict=self.settings.strict_truncate)

    def _on_ended(self, _: happened.SessionEnded) -> None:
        self.listening.give_up()
        self.turns.give_up()
        self.answering.give_up(self._now)

    # ------------------------------------------------------------------------------ idle

    def _idle_at(self) -> float | None:
        """When a silent user is asked again (server_vad with idle_timeout_ms)."""
        settings, ended = self.settings, self.answering.ended_at
        is_idle = self.answering.current is None and self.listening.segment is None
        if settings.idle_timeout is None or ended is None or not is_idle:
            return None
        if settings.turn_detection is not TurnDetection.SERVER:
            return None
        return ended + settings.idle_timeout

    def _watch_idle(self, now: float) -> None:
        due = self._idle_at()
        if due is None or now < due:
            return
        self.answering.ended_at = None
        listening = self.listening
        item_id = self.turns.new_item_id()
        end = listening.heard_until
        self._emit(do.IdleTimedOut(item_id, listening.closed_at, end))
        segment = listening.open(end, end, now, is_forced=True)
        segment.item_id = item_id
        listening.finish(segment, item_id)
        self.turns.add(segment, "", end)
        self.turns.start(segment, now)
