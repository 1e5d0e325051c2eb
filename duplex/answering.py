"""The assistant's side: at most one current answer, paced, ducked, and cut where it was heard.

Every output of a model carries the number of its answer; here, and only here, the number of an
answer that is no longer current is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from audio.playout import PlayoutClock
from duplex import actions as do
from duplex.conversation import Conversation, Turn
from duplex.response import Response
from duplex.segment import Segment
from duplex.settings import Settings
from duplex.states import AssistantState, AssistantStep, Floor
from models.base import SPEAK_RATE, AnswerOptions, FunctionCall, Item, SpokenWord

SEND_STEP = SPEAK_RATE // 50  # 20 ms leave at a time
# A model that gives nothing for so long has failed: the turn ends visibly, it never stalls.
ANSWER_PATIENCE = 10.0

Emit = Callable[[do.Action], None]


class Answering:
    """Owns the current answer. All times are session time in seconds."""

    def __init__(self, conversation: Conversation, floor: Floor, emit: Emit) -> None:
        self.conversation = conversation
        self.floor = floor
        self.emit = emit
        self.settings = Settings()
        self.current: Response | None = None
        self.beside: dict[int, Response] = {}  # answers beside the conversation
        self.num_started = 0
        self.ended_at: float | None = None  # when the last answer fell silent
        self.delay = 0.0  # seconds from sending to hearing, learned from the client's reports

    # -------------------------------------------------------------------------- beginning

    def start(
        self,
        now: float,
        *,
        options: AnswerOptions,
        item_id: str,
        segment: Segment | None = None,
        is_speculative: bool = False,
        items: tuple[Item, ...] | None = None,
        in_conversation: bool = True,
        metadata: dict[str, str] | None = None,
    ) -> Response:
        """Ask the models for an answer; a speculative one is held back until `confirm`."""
        self.num_started += 1
        response = Response(
            self.num_started,
            item_id,
            options,
            now,
            PlayoutClock(SPEAK_RATE, lead=self.settings.lead, delay=self.delay),
            segment=segment,
            follows_speech=segment is not None,
            metadata=metadata,
            in_conversation=in_conversation,
            last_progress=now,
        )
        if in_conversation:
            self.current = response
        else:
            self.beside[response.response_id] = response
        number = segment.number if segment else None
        self.emit(do.StartAnswer(response.response_id, options, is_speculative, number, items))
        if not is_speculative:
            self._begin(response)
        return response

    def confirm(self, response: Response) -> None:
        """The pause was the end of the turn: what was held back may leave."""
        self.emit(do.ConfirmAnswer(response.response_id))
        self._begin(response)

    def _begin(self, response: Response) -> None:
        response.is_confirmed = True
        if response.in_conversation:
            self.floor.move_assistant(AssistantStep.START)
            self.emit(do.ShowSwap(response.response_id))
            response.previous_item_id = self.conversation.last_id()
            self.conversation.add(self._new_turn(response))
        self.emit(
            do.ResponseStarted(
                response.response_id,
                response.item_id,
                response.previous_item_id,
                response.options,
                response.metadata,
                response.in_conversation,
            )
        )

    def _new_turn(self, response: Response) -> Turn:
        kind, key = (
            ("output_audio", "transcript") if response.options.speak else ("output_text", "text")
        )
        wire = {
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [{"type": kind, key: ""}],
        }
        return Turn(response.item_id, "assistant", (), wire, response_id=response.response_id)

    # ----------------------------------------------------------------------------- output

    def find(self, response_id: int) -> Response | None:
        """The answer of that number, if its output still counts."""
        if self.current is not None and self.current.response_id == response_id:
            return self.current
        return self.beside.get(response_id)

    def take_text(self, response: Response, text: str, now: float) -> None:
        response.last_progress = now
        response.texts.append(text)

    def take_sound(
        self, response: Response, samples: int, words: tuple[SpokenWord, ...], now: float
    ) -> None:
        response.last_progress = now
        response.made += samples
        response.words.extend(words)

    def pump(self, now: float) -> None:
        """Let out what may leave by now, and end what has ended."""
        for response in [self.current, *self.beside.values()]:
            if response is not None and response.is_confirmed:
                self._release(response, now)

    def _release(self, response: Response, now: float) -> None:
        for text in response.texts[response.num_told :]:
            self.emit(do.ResponseTextAdded(response.response_id, text))
        response.num_told = len(response.texts)
        self._release_calls(response)
        self._release_sound(response, now)
        self._note(response)
        if response.is_sent:
            status = do.ResponseStatus.COMPLETED
            if response.is_incomplete:
                status = do.ResponseStatus.INCOMPLETE
            self.end(response, now, status, "max_output_tokens" if response.is_incomplete else None)
        elif response.is_waited_for and now - response.last_progress >= ANSWER_PATIENCE:
            self.fail(response, now, "the model gave nothing in time")

    def _release_calls(self, response: Response) -> None:
        for index in range(response.num_calls_told, len(response.calls)):
            name, arguments = response.calls[index]
            item_id = f"{response.item_id}_call{index}"
            call_id = f"call_{item_id.removeprefix('item_')}"
            previous = self._add_call(item_id, call_id, name, arguments, response)
            self.emit(
                do.ResponseCallAdded(
                    response.response_id, item_id, call_id, name, arguments, previous
                )
            )
        response.num_calls_told = len(response.calls)

    def _add_call(
        self, item_id: str, call_id: str, name: str, arguments: str, response: Response
    ) -> str | None:
        if not response.in_conversation:
            return None
        wire = {
            "type": "function_call",
            "status": "completed",
            "name": name,
            "arguments": arguments,
            "call_id": call_id,
        }
        call = FunctionCall(name, arguments, call_id)
        return self.conversation.add(Turn(item_id, "assistant", (call,), wire))

    def _release_sound(self, response: Response, now: float) -> None:
        while response.sent < response.made:
            room = response.clock.room(now)
            count = min(SEND_STEP, response.made - response.sent)
            if not response.in_conversation:
                count = response.made - response.sent
            elif room < count:
                return
            self._send(response, count, now)

    def _send(self, response: Response, count: int, now: float) -> None:
        if response.in_conversation and self.floor.assistant is AssistantState.PREPARING:
            self.floor.move_assistant(AssistantStep.SOUND)
        ducked = response.in_conversation and self.floor.assistant is AssistantState.DUCKED
        self.emit(do.SendAudio(response.response_id, response.sent, count, ducked))
        response.sent += count
        response.last_progress = now
        response.clock.sent(count, now)

    def _note(self, response: Response) -> None:
        """Keep the conversation's turn equal to what is known of the answer."""
        turn = self.conversation.answer_of(response.response_id)
        if turn is not None:
            turn.text = response.text
            turn.words = tuple(response.words)

    # ----------------------------------------------------------------------------- ending

    def stop(self, response: Response, now: float, reason: str, *, drop: bool = False) -> None:
        """End an answer that was interrupted; history keeps what was heard of it."""
        if not response.is_confirmed:
            self.forget(response)
            return
        heard = response.clock.heard(now)
        self._note(response)
        if response.in_conversation and response.item_id in self.conversation:
            turn = self.conversation.find(response.item_id)
            turn.dropped = drop
            if response.options.speak:
                self.conversation.cut(response.item_id, heard)
        self.emit(do.CancelAnswer(response.response_id))
        self.end(response, now, do.ResponseStatus.CANCELLED, reason)

    def give_up(self, now: float) -> None:
        """Nobody is there to hear it: end every answer."""
        for response in [self.current, *self.beside.values()]:
            if response is not None:
                self.stop(response, now, "session_ended")

    def forget(self, response: Response) -> None:
        """A speculation failed: the answer never was."""
        self.emit(do.CancelAnswer(response.response_id, rewind=True))
        if self.current is response:
            self.current = None

    def fail(self, response: Response, now: float, reason: str) -> None:
        if not response.is_confirmed:
            self.forget(response)
            return
        self.emit(do.CancelAnswer(response.response_id))
        self.end(response, now, do.ResponseStatus.FAILED, reason)

    def end(
        self, response: Response, now: float, status: do.ResponseStatus, reason: str | None
    ) -> None:
        heard = (
            response.clock.heard(now) if status is do.ResponseStatus.CANCELLED else response.made
        )
        self._settle_turn(response, status)
        self._decide(response, status)
        self.emit(
            do.ResponseEnded(
                response.response_id,
                status,
                reason,
                text=response.text,
                heard=self._heard_text(response),
                heard_ms=heard * 1000 // SPEAK_RATE,
                samples=response.sent,
                output_tokens=len(response.texts),
            )
        )
        if not response.in_conversation:
            del self.beside[response.response_id]
            return
        self.current = None
        self.delay = response.clock.delay
        self.ended_at = response.clock.end(now)
        self.floor.move_assistant(AssistantStep.END)

    def _heard_text(self, response: Response) -> str:
        turn = self.conversation.answer_of(response.response_id)
        return turn.heard_text() if turn is not None else response.text

    def _settle_turn(self, response: Response, status: do.ResponseStatus) -> None:
        turn = self.conversation.answer_of(response.response_id)
        if turn is None:
            return
        completed = status is do.ResponseStatus.COMPLETED
        turn.wire["status"] = "completed" if completed else "incomplete"
        if not response.text and (response.calls or completed):
            self.conversation.turns.remove(turn)  # nothing was said: the calls are the answer

    def _decide(self, response: Response, status: do.ResponseStatus) -> None:
        segment = response.segment
        if segment is None:
            return
        response.segment = None
        has_output = bool(response.sent or response.num_told or response.num_calls_told)
        if response.is_empty:
            reason = do.Reason.STOPPED
        elif status is do.ResponseStatus.FAILED:
            reason = do.Reason.FAILED
        elif status is do.ResponseStatus.CANCELLED and not has_output:
            reason = do.Reason.SUPERSEDED
        else:
            reason = do.Reason.ANSWERED
        self.emit(decide(segment, reason, response.response_id))

    # ------------------------------------------------------------------------- duck, time

    def duck(self) -> None:
        if self.floor.assistant is AssistantState.SPEAKING:
            self.floor.move_assistant(AssistantStep.DUCK)

    def resume(self) -> None:
        if self.floor.assistant is AssistantState.DUCKED:
            self.floor.move_assistant(AssistantStep.RESUME)

    def deadline(self, now: float) -> float | None:
        """When `pump` next has something to do."""
        times = []
        for response in [self.current, *self.beside.values()]:
            if response is None or not response.is_confirmed:
                continue
            if response.sent < response.made:
                count = min(SEND_STEP, response.made - response.sent)
                times.append(response.clock.next_room_time(count, now))
            elif response.is_waited_for:
                times.append(response.last_progress + ANSWER_PATIENCE)
        return min(times, default=None)

    def configure(self, settings: Settings) -> None:
        self.settings = settings


def decide(segment: Segment, reason: do.Reason, response_id: int | None = None) -> do.Decide:
    """The segment's one decision."""
    return do.Decide(
        segment.number,
        reason,
        segment.onset,
        segment.last_voiced,
        segment.verdict,
        segment.item_id,
        response_id,
    )
