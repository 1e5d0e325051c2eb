"""The assistant's side: one current answer, paced, ducked, and cut where it was heard (pure)."""

from __future__ import annotations

from audio.playout import PlayoutClock
from duplex import actions
from duplex.conversation import ContextContent, Turn, letters_within
from duplex.core import Origin, Response, Segment, SessionState
from duplex.states import DeliveryState, DeliveryStep, MakingState
from models.base import SPEAK_RATE, AnswerOptions, FunctionCall, SpokenWord

SEND_STEP = SPEAK_RATE // 50  # 20 ms leave at a time
# A model that gives nothing for so long has failed: the turn ends visibly, it never stalls.
ANSWER_TIMEOUT_S = 10.0


class Answering:
    """Begins, sends and ends responses. All times are session time in seconds."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._responses = state.responses
        self._conversation = state.conversation
        self._delay = 0.0  # seconds from sending to hearing, learned from the client's reports
        self.ended_at: float | None = None  # when the last answer fell silent
        self.closed_at: float | None = None  # when the client was last told that one has ended

    # -------------------------------------------------------------------------- beginning

    def start(
        self,
        now: float,
        *,
        options: AnswerOptions,
        segment: Segment | None = None,
        is_speculative: bool = False,
        items: tuple[ContextContent, ...] | None = None,
        out_of_band: bool = False,
        metadata: dict[str, str] | None = None,
    ) -> Response:
        """Ask the models for an answer; a speculative one is held back until `confirm`."""
        item_id = self._state.new_item_id()
        has_context = segment is None and items is None
        context = self._state.context(now) if has_context else ()
        clock = self._new_clock()
        response = Response(
            self._responses.next_id(),
            item_id,
            options,
            clock,
            segment=segment,
            out_of_band=out_of_band,
            metadata=metadata,
            last_progress=now,
        )
        self._responses.open(response)
        self._state.emit(
            actions.StartAnswer(
                response.response_id,
                options,
                is_speculative,
                segment.number if segment else None,
                items,
                out_of_band,
                context,
            )
        )
        if not is_speculative:
            self._begin(response, now)
        return response

    def _new_clock(self) -> PlayoutClock:
        """Sound leaves one step at a time, so a lead is never less than a step."""
        lead = max(self._state.settings.lead, SEND_STEP / SPEAK_RATE)
        return PlayoutClock(SPEAK_RATE, lead=lead, delay=self._delay)

    def tell_failure(self, now: float, reason: str) -> None:
        """Tell the client of a turn that could not be heard by a response that fails at once; no
        model was asked for it."""
        response = Response(
            self._responses.next_id(),
            self._state.new_item_id(),
            self._state.settings.answer,
            self._new_clock(),
            last_progress=now,
        )
        self._responses.open(response)
        response.delivery.take(DeliveryStep.CONFIRM)
        response.previous_item_id = self._conversation.last_id()
        self._state.emit(_started(response))
        failed = actions.ResponseStatus.FAILED
        self._state.emit(actions.ResponseEnded(response.response_id, failed, reason))
        self._responses.close(response)

    def confirm(self, response: Response, now: float) -> None:
        """Let an answer leave that was held back, since the pause was the end of the turn."""
        self._state.emit(actions.ConfirmAnswer(response.response_id))
        self._begin(response, now)

    def _begin(self, response: Response, now: float) -> None:
        response.delivery.take(DeliveryStep.CONFIRM)
        if not response.out_of_band:
            self._state.emit(actions.ShowSwap(response.response_id))
            response.previous_item_id = self._conversation.last_id()
            self._conversation.add_answer(
                response.item_id, response.response_id, speaks=response.options.speak
            )
        self._state.emit(_started(response))
        if not response.out_of_band:
            self._state.brief_monitor(now)

    # ----------------------------------------------------------------------------- output

    def take_text(self, response: Response, text: str, now: float) -> None:
        response.last_progress = now
        response.texts.append(text)

    def take_sound(
        self, response: Response, samples: int, words: tuple[SpokenWord, ...], now: float
    ) -> None:
        response.last_progress = now
        response.samples_made += samples
        response.words.extend(words)

    def take_call(self, response: Response, name: str, arguments: str, now: float) -> None:
        response.last_progress = now
        response.calls.append((name, arguments))

    def send_due(self, now: float) -> float | None:
        """Send what may leave by now, and end what has ended; give the time at which there is
        something to do again although nothing happens, None if there is none."""
        times = [
            self._send_due(response, now)
            for response in self._responses
            if not response.is_held_back
        ]
        return min((time for time in times if time is not None), default=None)

    def _send_due(self, response: Response, now: float) -> float | None:
        if self._state.settings.transcript_ahead:
            self._send_text(response)
        self._send_calls(response)
        more_at = self._send_sound(response, now)
        self._send_text(response)
        if response.times is not None and response.samples_sent:
            self._state.emit(actions.ShowAnswerTimes(response.response_id, response.times))
            response.times = None
        self._update_turn(response)
        if response.is_sent:
            self._complete(response, now)
        elif response.awaits_model:
            more_at = response.last_progress + ANSWER_TIMEOUT_S
            if now >= more_at:
                self.fail(response, now, "the model gave nothing in time")
                return None
        return more_at

    def _complete(self, response: Response, now: float) -> None:
        if response.making.state is MakingState.CUT_SHORT:
            self.end(response, now, actions.ResponseStatus.INCOMPLETE, "max_output_tokens")
        else:
            self.end(response, now, actions.ResponseStatus.COMPLETED, None)

    def _send_text(self, response: Response) -> None:
        """Tell the words whose sound has begun to leave; all of them where nothing is spoken."""
        text = response.text
        until = len(text)
        is_paced = response.options.speak and not self._state.settings.transcript_ahead
        if is_paced and not response.out_of_band and not response.is_sent:
            until = letters_within(
                text, response.words, response.samples_sent, response.samples_made
            )
        if until > response.letters_sent:
            piece = text[response.letters_sent : until]
            response.letters_sent = until
            self._state.emit(actions.ResponseTextAdded(response.response_id, piece))

    def _send_calls(self, response: Response) -> None:
        for index in range(response.num_calls_sent, len(response.calls)):
            name, arguments = response.calls[index]
            item_id, call_id = self._new_call_names(f"{response.item_id}_call{index}")
            previous = None
            if not response.out_of_band:
                call = FunctionCall(name, arguments, call_id)
                previous = self._conversation.add_call(item_id, call)
            self._state.emit(
                actions.ResponseCallAdded(
                    response.response_id, item_id, call_id, name, arguments, previous
                )
            )
        response.num_calls_sent = len(response.calls)

    def _new_call_names(self, item_id: str) -> tuple[str, str]:
        """The ids of a call's item and of the call: these, where no client has taken them."""
        while True:
            call_id = f"call_{item_id.removeprefix('item_')}"
            if not self._state.is_named(item_id) and not self._conversation.has_call(call_id):
                return item_id, call_id
            item_id += "_"

    def _send_sound(self, response: Response, now: float) -> float | None:
        """Send what the lead has room for; give when there is room for more that is made."""
        while (waiting := response.samples_made - response.samples_sent) > 0:
            # Nobody listens to an answer out of band: all of it leaves as it is made.
            count = waiting if response.out_of_band else min(SEND_STEP, waiting)
            if not response.out_of_band and response.clock.room(now) < count:
                return response.clock.next_room_time(count, now)
            self._send(response, count, now)
        return None

    def _send(self, response: Response, count: int, now: float) -> None:
        if not response.out_of_band and not response.samples_sent:
            self._learn_speaker(response)
        response.delivery.offer(DeliveryStep.SOUND)
        is_ducked = response.delivery.state is DeliveryState.DUCKED
        self._state.emit(
            actions.SendAudio(response.response_id, response.samples_sent, count, is_ducked)
        )
        response.samples_sent += count
        response.last_progress = now
        response.clock.sent(count, now)

    def _learn_speaker(self, response: Response) -> None:
        """The first sound of an answer leaves: whoever is answered is a user of this session."""
        segment = response.segment
        is_spoken = segment is not None and segment.origin is Origin.VOICE
        if segment is not None and is_spoken and self._state.settings.speaker_profile:
            self._state.emit(actions.LearnSpeaker(segment.number))

    def _update_turn(self, response: Response) -> None:
        """Keep the conversation's turn equal to what is known of the answer."""
        turn = self._conversation.answer_of(response.response_id)
        if turn is not None:
            turn.text = response.text
            turn.words = tuple(response.words)
            turn.is_told = turn.is_told or bool(response.letters_sent or response.samples_sent)
            turn.samples_sent = response.samples_sent

    # ----------------------------------------------------------------------------- ending

    def stop(self, response: Response, now: float, reason: str, *, drop: bool = False) -> None:
        """End an answer that was interrupted; the history keeps what was heard of it, or nothing
        (`drop`)."""
        if response.is_held_back:
            self.forget(response)
            return
        heard = response.clock.heard(now)
        self._update_turn(response)
        if not response.out_of_band and response.item_id in self._conversation:
            self._conversation.find(response.item_id).dropped = drop
            if response.options.speak:
                self._conversation.cut(response.item_id, heard)
        self._state.emit(actions.CancelAnswer(response.response_id))
        self.end(response, now, actions.ResponseStatus.CANCELLED, reason)

    def give_up(self, now: float) -> None:
        """The session is over: end every answer."""
        for response in self._responses:
            self.stop(response, now, "session_ended")

    def forget(self, response: Response) -> None:
        """Cancel an answer that was held back; the client is told nothing of it."""
        self._state.emit(actions.CancelAnswer(response.response_id, rewind=True))
        self._responses.close(response)

    def fail(self, response: Response, now: float, reason: str) -> None:
        """End an answer that the model cannot go on with; the client is told, unless it was held
        back."""
        if response.is_held_back:
            self.forget(response)
            return
        self._update_turn(response)
        if response.options.speak and response.item_id in self._conversation:
            # What was sent will be heard to its end; what was made beyond it is lost.
            self._conversation.cut(response.item_id, response.samples_sent)
        self._state.emit(actions.CancelAnswer(response.response_id))
        self.end(response, now, actions.ResponseStatus.FAILED, reason)

    def end(
        self, response: Response, now: float, status: actions.ResponseStatus, reason: str | None
    ) -> None:
        """End an answer that the client was told of: settle its turn, decide its segment, say how
        it ended. Every such answer ends here and only once."""
        is_cut = status is actions.ResponseStatus.CANCELLED
        heard = response.clock.heard(now) if is_cut else response.samples_sent
        turn = self._settle_turn(response, status)
        self._decide(response, status)
        self._state.emit(
            actions.ResponseEnded(
                response.response_id,
                status,
                reason,
                text=response.text,
                heard=response.text if turn is None else turn.heard_text(),
                heard_ms=heard * 1000 // SPEAK_RATE,
                samples=response.samples_sent,
                input_tokens=response.input_tokens,
                output_tokens=response.output_tokens,
                item_id=None if turn is None else turn.item_id,
            )
        )
        self._responses.close(response)
        self.closed_at = now
        if not response.out_of_band:
            self._delay = response.clock.delay
            self.ended_at = response.clock.end(now)
            self._state.sync_monitor(now)

    def _settle_turn(self, response: Response, status: actions.ResponseStatus) -> Turn | None:
        """Give the turn its last status; None if nothing was said and the calls are the answer."""
        turn = self._conversation.answer_of(response.response_id)
        if turn is None:
            return None
        is_completed = status is actions.ResponseStatus.COMPLETED
        turn.wire["status"] = "completed" if is_completed else "incomplete"
        if not turn.is_told or (not response.text and (response.calls or is_completed)):
            self._conversation.remove(turn)
            return None
        return turn

    def _decide(self, response: Response, status: actions.ResponseStatus) -> None:
        segment = response.segment
        if segment is None:
            return
        if response.is_empty:
            reason = actions.Reason.STOPPED
        elif status is actions.ResponseStatus.FAILED:
            reason = actions.Reason.FAILED
        elif status is actions.ResponseStatus.CANCELLED and not response.has_output:
            reason = actions.Reason.SUPERSEDED
        else:
            reason = actions.Reason.ANSWERED
        self._state.decide(segment, reason, response.response_id)

    # ------------------------------------------------------------------------------- duck

    def duck(self) -> bool:
        """Reduce the gain of an answer that sounds; True if one did."""
        current = self._responses.current
        return current is not None and current.delivery.offer(DeliveryStep.DUCK)

    def resume(self) -> None:
        """Bring a ducked answer back to full gain."""
        if self._responses.current is not None:
            self._responses.current.delivery.offer(DeliveryStep.RESUME)


def _started(response: Response) -> actions.ResponseStarted:
    return actions.ResponseStarted(
        response.response_id,
        response.item_id,
        response.previous_item_id,
        response.options,
        response.metadata,
        not response.out_of_band,
    )
