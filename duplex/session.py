"""The pure core: handle(event, now) -> actions, one deadline, handle_timer(now) -> actions.

It knows no clock, no network and no model. Time comes in as `now` (seconds of session time, never
going back); the next moment at which it wants to be called is `deadline`, in the manner of aioquic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from audio.frame import Samples
from duplex import actions, events
from duplex.answering import Answering
from duplex.barge_in import BargeIn
from duplex.conversation import History, SpokenTurn, Turn
from duplex.core import Origin, Response, SessionState
from duplex.endpointing import Settings, TurnDetection
from duplex.listening import Listening
from duplex.requests import Requests
from duplex.states import MakingStep
from duplex.turns import Turns

# Sums of times differ in the last bits; a timer must never come a hair too early, for ever.
ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A conversation as another server can go on with it.

    `resumed` is what a session is told to go on with it. `sounds` are the spoken turns of the user,
    [n] at 16 kHz, by item id. `cut` names the answer that played, `unanswered` the user's turn that
    no answer had followed.
    """

    resumed: events.ConversationResumed
    sounds: Mapping[str, Samples] = field(default_factory=dict)
    cut: str | None = None
    unanswered: str | None = None


class Session:
    """One conversation. `token` makes its item ids unique among sessions."""

    def __init__(self, token: str, settings: Settings | None = None) -> None:
        self.state = SessionState(token, settings or Settings())
        self._answering = Answering(self.state)
        self._turns = Turns(self.state, self._answering)
        barge_in = BargeIn(self.state, self._answering)
        self._listening = Listening(self.state, self._turns, barge_in, self._answering)
        self._requests = Requests(self.state, self._turns, self._listening, self._answering)
        self._shown = (self.state.user, self.state.assistant)
        self._now = 0.0
        self._sending_due: float | None = None  # when something may leave, or must have come
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.VoiceMeasured: lambda e: self._listening.measure(e, self._now),
            events.VerdictGiven: lambda e: self._listening.take_verdict(e, self._now),
            events.SpeakerScored: lambda e: self._listening.take_speaker_score(e, self._now),
            events.HearingFailed: lambda e: self._listening.take_failure(e, self._now),
            events.MonitorUnresponsive: self._on_monitor_unresponsive,
            events.ConversationResumed: self._on_resumed,
            events.SettingsChanged: lambda e: self._configure(e.settings),
            events.CommitRequested: lambda e: self._requests.commit(e, self._now),
            events.ClearRequested: self._requests.clear,
            events.ItemOffered: self._requests.offer,
            events.ItemDeleteRequested: self._requests.delete,
            events.ItemRetrieveRequested: self._requests.retrieve,
            events.ItemTruncateRequested: lambda e: self._requests.truncate(e, self._now),
            events.ResponseRequested: lambda e: self._requests.respond(e, self._now),
            events.CancelRequested: lambda e: self._requests.cancel(e, self._now),
            events.PlayoutReported: lambda e: self._requests.report_playout(e, self._now),
            events.SessionEnded: self._on_ended,
        }
        self._answer_handlers: dict[type, Callable[[Response, Any], None]] = {
            events.AnswerTextMade: self._on_text,
            events.AnswerSoundMade: self._on_sound,
            events.AnswerCallMade: self._on_call,
            events.AnswerFinished: self._on_finished,
            events.AnswerFailed: self._on_failed,
        }

    def waits_for_verdict(self, now: float) -> bool:
        """True while a pause, or all of a turn, has not been judged and still may be: later sound
        that is there already is to be measured after that verdict."""
        return self._listening.waits_for_verdict(now)

    @property
    def conversation(self) -> History:
        return self.state.conversation

    def snapshot(self, now: float, sound_of: Callable[[str], Samples | None]) -> Snapshot:
        """The conversation at session time `now`; an answer that plays is cut where it was heard.
        `sound_of` gives the sound of an item, None where it is not kept."""
        current = self.state.responses.current
        cut = None if current is None or current.is_held_back else current.item_id
        turns = tuple(
            self._copy(turn, now, is_cut=turn.item_id == cut) for turn in self.conversation.turns
        )
        sounds = {turn.item_id: sound_of(turn.item_id) for turn in turns if turn.role == "user"}
        return Snapshot(
            events.ConversationResumed(turns, self.state.responses.num_opened),
            {item_id: sound for item_id, sound in sounds.items() if sound is not None},
            cut,
            self._unanswered(),
        )

    # ------------------------------------------------------------------------ in and out

    def handle(self, event: events.Event, now: float) -> list[actions.Action]:
        """Take one event; give what is to be done now, in order."""
        self._now = now
        if isinstance(event, events.AnswerEvent):
            response = self.state.responses.find(event.response_id)
            if response is not None:
                self._answer_handlers[type(event)](response, event)
        else:
            self._handlers[type(event)](event)
        return self._settle(now)

    def handle_timer(self, now: float) -> list[actions.Action]:
        """The deadline has come (or any other moment: calling too early is harmless)."""
        self._now = now
        self._listening.evaluate(now)
        self._evaluate_idle(now)
        return self._settle(now)

    @property
    def deadline(self) -> float | None:
        """Session time at which `handle_timer` wants to be called, None: not by itself."""
        times = (
            self._sending_due,
            self._listening.deadline(),
            self._idle_ends_at(),
        )
        due = min((time for time in times if time is not None), default=None)
        return None if due is None else due + ROUNDING_S

    def _settle(self, now: float) -> list[actions.Action]:
        self._send_due(now)
        shown = (self.state.user, self.state.assistant)
        if shown != self._shown:
            self._shown = shown
            self.state.emit(actions.ShowState(shown[0].value, shown[1].value))
        return self.state.take_actions()

    def _send_due(self, now: float) -> None:
        """Send what may leave. Where that ends an answer, or the next one begins, the open segment
        is judged anew: what was said over an answer is judged otherwise once that is over."""
        while True:
            before = self.state.responses.current
            self._sending_due = self._answering.send_due(now)
            self._turns.answer_waiting(now)
            if self.state.responses.current is before:
                return
            self._listening.evaluate(now)

    # ------------------------------------------------------------------ output of the models

    def _on_text(self, response: Response, event: events.AnswerTextMade) -> None:
        response.input_tokens, response.output_tokens = event.input_tokens, event.output_tokens
        self._answering.take_text(response, event.text, self._now)

    def _on_sound(self, response: Response, event: events.AnswerSoundMade) -> None:
        response.times = event.times or response.times
        self._answering.take_sound(response, event.samples, event.words, self._now)

    def _on_call(self, response: Response, event: events.AnswerCallMade) -> None:
        self._answering.take_call(response, event.name, event.arguments, self._now)

    def _on_finished(self, response: Response, event: events.AnswerFinished) -> None:
        response.input_tokens, response.output_tokens = event.input_tokens, event.output_tokens
        response.making.offer(MakingStep.CUT if event.incomplete else MakingStep.FINISH)

    def _on_failed(self, response: Response, event: events.AnswerFailed) -> None:
        self._answering.fail(response, self._now, event.reason)

    # ------------------------------------------------------------------- instances, the end

    def _on_monitor_unresponsive(self, _: events.MonitorUnresponsive) -> None:
        """A fresh monitor hears the open segment again from its start, faster than real time."""
        segment, now = self.state.segment, self._now
        resume = None if segment is None else self.state.begin_hearing(segment, now)
        self.state.emit(actions.ReplaceMonitor(None, resume))
        self.state.sync_monitor(now)

    def _on_resumed(self, event: events.ConversationResumed) -> None:
        """Take over what another session left behind; its answers' numbers are not used again."""
        state = self.state
        for turn in event.turns:
            state.conversation.add(replace(turn, wire=dict(turn.wire)))
        state.responses.num_opened += event.num_responses
        state.sync_monitor(self._now)

    def _on_ended(self, _: events.SessionEnded) -> None:
        self._listening.give_up()
        self._turns.give_up()
        self._turns.transcripts.give_up()
        self._answering.give_up(self._now)

    def _copy(self, turn: Turn, now: float, *, is_cut: bool) -> Turn:
        copy = replace(turn, wire=dict(turn.wire))
        current = self.state.responses.current
        if is_cut and current is not None:
            copy.heard = current.clock.heard(now)
            copy.wire["status"] = "incomplete"
        return copy

    def _unanswered(self) -> str | None:
        """The last turn, if it is the user's and was spoken."""
        turns = self.conversation.turns
        if turns and any(isinstance(part, SpokenTurn) for part in turns[-1].parts):
            return turns[-1].item_id
        return None

    # ------------------------------------------------------------------------------ idle

    def _configure(self, settings: Settings) -> None:
        """Take new settings; the wait for a silent user begins anew where it is changed."""
        before = self.state.settings
        self._listening.configure(settings, self._now)
        is_same = (before.turn_detection, before.idle_timeout) == (
            settings.turn_detection,
            settings.idle_timeout,
        )
        if not is_same and self.state.responses.current is None and self._answering.closed_at:
            self._answering.ended_at = max(self._now, self._answering.ended_at or 0.0)

    def _idle_ends_at(self) -> float | None:
        """When a silent user is asked again (server_vad with idle_timeout_ms)."""
        settings, ended = self.state.settings, self._answering.ended_at
        is_idle = self.state.responses.current is None and self.state.segment is None
        if settings.idle_timeout is None or ended is None or not is_idle:
            return None
        if settings.turn_detection is not TurnDetection.SERVER:
            return None
        return ended + settings.idle_timeout

    def _evaluate_idle(self, now: float) -> None:
        due = self._idle_ends_at()
        if due is None or now < due:
            return
        self._answering.ended_at = None
        item_id, end = self.state.new_item_id(), self._listening.heard_until
        self.state.emit(actions.IdleTimedOut(item_id, self._listening.closed_at, end))
        segment = self._listening.open(end, end, now, Origin.CLIENT)
        segment.item_id = item_id
        self._listening.finish(segment, item_id)
        self._turns.add(segment, end, self._now)
        self._turns.start(segment, now)
