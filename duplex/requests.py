"""What the client asks for by name: items, commits, responses, cancels (pure).

Each request is done whole or refused with a reason; a refusal changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from duplex import actions, events
from duplex.actions import Refuse, Refused
from duplex.answering import Answering
from duplex.conversation import ContextContent, ItemReference, Turn, UnknownItem
from duplex.core import Origin, SessionState
from duplex.endpointing import TurnDetection
from duplex.listening import Listening
from duplex.turns import Turns
from models.base import SPEAK_RATE, FunctionCall, FunctionOutput

# The wire refuses to commit less than this.
MIN_COMMIT_S = 0.1
ROUNDING_S = 0.001
# A client that cancels an answer may not have been told yet that it has ended.
CANCEL_GRACE_S = 2.0
FRONT = "root"  # the protocol's name for the place before the first item


class _CannotBeDone(Exception):
    """A request is refused."""

    def __init__(self, refuse: Refuse) -> None:
        super().__init__(refuse.message)
        self.refuse = refuse


class Requests:
    """Carries out the client's requests on one session. `now` is session time."""

    def __init__(
        self, state: SessionState, turns: Turns, listening: Listening, answering: Answering
    ) -> None:
        self._state = state
        self._conversation = state.conversation
        self._turns = turns
        self._listening = listening
        self._answering = answering

    # --------------------------------------------------------------------------- the buffer

    def commit(self, event: events.CommitRequested, now: float) -> None:
        segment = self._state.segment
        until = max(self._listening.heard_until, event.received_until)
        if segment is None or until + event.held - segment.start < MIN_COMMIT_S - ROUNDING_S:
            is_manual = self._state.settings.turn_detection is TurnDetection.MANUAL
            lacking = "less than 100 ms of audio" if is_manual or segment else "no voice"
            self._refuse(
                "input_audio_buffer_commit_empty",
                f"Error committing input audio buffer: the buffer has {lacking}.",
                event.event_id,
            )
            return
        if segment.origin is not Origin.CLIENT:
            self._listening.commit(segment, now)
            return
        self._listening.keep(segment, until, now)

    def clear(self, event: events.ClearRequested) -> None:
        if self._state.segment is not None:
            self._listening.close(self._state.segment, actions.Reason.ABANDONED)
        self._state.emit(actions.BufferCleared())

    # ---------------------------------------------------------------------------- items

    def offer(self, event: events.ItemOffered) -> None:
        """Put an item in: whole, or refused so that nothing of it stays."""
        try:
            self._check_offer(event)
            turn = Turn(event.item_id, event.role, event.parts, dict(event.wire))
            before = self._conversation.add_given(turn, event.previous_item_id)
        except _CannotBeDone as error:
            self._state.emit(replace(error.refuse, event_id=event.event_id, what=Refused.ITEM))
        except UnknownItem as unknown:
            refuse = _unknown_item(unknown, "previous_item_id")
            self._state.emit(replace(refuse, event_id=event.event_id, what=Refused.ITEM))
        else:
            self._state.emit(actions.ItemAdded(turn.to_wire(), before))

    def _check_offer(self, event: events.ItemOffered) -> None:
        """Raises _CannotBeDone."""
        item_id = event.item_id
        if self._state.is_named(item_id):
            raise _CannotBeDone(Refuse("invalid_value", f"Item {item_id} exists.", "item.id"))
        if item_id == FRONT:
            message = f"An item cannot be called '{FRONT}', which is the place before the first."
            raise _CannotBeDone(Refuse("invalid_value", message, "item.id"))
        for part in event.parts:
            if isinstance(part, FunctionOutput) and not self._conversation.has_call(part.call_id):
                raise _CannotBeDone(_unknown_call(part, "item.call_id"))

    def delete(self, event: events.ItemDeleteRequested) -> None:
        try:
            before = self._conversation.delete(event.item_id, outdated=event.outdated)
        except UnknownItem as unknown:
            self._unknown(unknown, event.event_id, "item_id")
            return
        self._state.emit(actions.ItemDeleted(event.item_id, before))

    def retrieve(self, event: events.ItemRetrieveRequested) -> None:
        try:
            turn = self._conversation.find(event.item_id)
        except UnknownItem:
            self._refuse(
                "item_retrieve_invalid_item_id",
                f"There is no item {event.item_id}.",
                event.event_id,
                "item_id",
            )
            return
        self._state.emit(actions.ItemRetrieved(turn.to_wire()))

    def truncate(self, event: events.ItemTruncateRequested, now: float) -> None:
        """Keep exactly the heard words; a mark beyond the sound is clamped unless strict."""
        try:
            turn = self._conversation.find(event.item_id)
        except UnknownItem as unknown:
            self._unknown(unknown, event.event_id, "item_id")
            return
        content = turn.wire.get("content") or [{}]
        if turn.response_id is None or content[0].get("type") != "output_audio":
            self._refuse(
                "unsupported_content_type",
                "Only model output audio messages can be truncated",
                event.event_id,
                "item_id",
            )
            return
        length = turn.samples_sent
        samples = event.audio_end_ms * SPEAK_RATE // 1000
        if self._state.settings.strict_truncate and samples > length:
            message = (
                f"Audio content of {length * 1000 // SPEAK_RATE}ms is already shorter than "
                f"{event.audio_end_ms}ms"
            )
            self._refuse("invalid_value", message, event.event_id, "audio_end_ms")
            return
        self._stop_if_current(turn, min(samples, length), now)
        if samples < length:
            self._conversation.cut(event.item_id, max(0, samples))
        self._state.emit(
            actions.ItemTruncated(event.item_id, event.content_index, event.audio_end_ms)
        )

    def _stop_if_current(self, turn: Turn, samples: int, now: float) -> None:
        """End the running answer if it is the one that the client truncates."""
        current = self._state.responses.current
        if current is not None and current.response_id == turn.response_id:
            # Where the client cuts says nothing of how late it plays: cut first, then correct.
            current.clock.cut(now)
            current.clock.report(samples, now)
            self._answering.stop(current, now, "client_cancelled")

    # ------------------------------------------------------------------------- responses

    def respond(self, event: events.ResponseRequested, now: float) -> None:
        """Begin the answer that a client asks for, whatever the verdict was."""
        try:
            items = None if event.items is None else self._read(event.items, now)
        except _CannotBeDone as error:
            what = Refused.OTHER if event.in_conversation else Refused.APART
            self._state.emit(replace(error.refuse, event_id=event.event_id, what=what))
            return
        current = self._state.responses.current
        if event.in_conversation and current is not None and not current.is_held_back:
            self._refuse(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress. "
                "Wait until it is finished or cancel it first.",
                event.event_id,
                "response.create",
            )
            return
        if event.in_conversation and self._state.segment is not None:
            self._turns.drop_speculation(self._state.segment)
        self._answering.start(
            now,
            options=event.options,
            items=items,
            out_of_band=not event.in_conversation,
            metadata=event.metadata,
        )

    def _read(
        self, items: tuple[events.RequestedItem, ...], now: float
    ) -> tuple[ContextContent, ...]:
        """What models read of a response's own input. Raises _CannotBeDone."""
        contents: list[ContextContent] = []
        for item in items:
            if isinstance(item, ItemReference):
                contents += self._referred(item, now)
            else:
                contents.append(item)
        called = {part.call_id for part in contents if isinstance(part, FunctionCall)}
        for part in contents:
            if isinstance(part, FunctionOutput) and part.call_id not in called:
                if not self._conversation.has_call(part.call_id):
                    raise _CannotBeDone(_unknown_call(part, "response.input"))
        return tuple(contents)

    def _referred(self, reference: ItemReference, now: float) -> list[ContextContent]:
        """An item as far as it is known: of an answer that plays, what was heard."""
        try:
            turn = self._conversation.find(reference.item_id)
        except UnknownItem as unknown:
            raise _CannotBeDone(_unknown_item(unknown, reference.param)) from None
        current = self._state.responses.current
        entries = self._conversation.context_of(turn)
        if current is not None and current.item_id == turn.item_id:
            entries = turn.heard_context(current.clock.heard(now))
        return [entry.content for entry in entries]

    def cancel(self, event: events.CancelRequested, now: float) -> None:
        response = self._state.responses.current
        if event.response_id is not None:
            response = self._state.responses.find(event.response_id)
        if response is None or response.is_held_back:
            if self._has_just_ended(event.response_id, now):
                return
            self._refuse(
                "response_cancel_not_active",
                "Cancellation failed: no active response found",
                event.event_id,
            )
            return
        self._answering.stop(response, now, "client_cancelled")

    def _has_just_ended(self, response_id: int | None, now: float) -> bool:
        """True for an answer that is named and is over, or that ended a moment ago."""
        if response_id is not None:
            return 0 < response_id <= self._state.responses.num_opened
        ended_at = self._answering.closed_at
        return ended_at is not None and now - ended_at <= CANCEL_GRACE_S

    def report_playout(self, event: events.PlayoutReported, now: float) -> None:
        response = self._state.responses.find(event.response_id)
        if response is not None:
            response.clock.report(min(event.samples, response.samples_sent), now)

    # --------------------------------------------------------------------------- refusals

    def _unknown(self, unknown: UnknownItem, event_id: str | None, param: str) -> None:
        self._state.emit(replace(_unknown_item(unknown, param), event_id=event_id))

    def _refuse(
        self, code: str, message: str, event_id: str | None, param: str | None = None
    ) -> None:
        self._state.emit(Refuse(code, message, param, event_id))


def _unknown_item(unknown: UnknownItem, param: str) -> Refuse:
    return Refuse("invalid_value", f"There is no item {unknown.item_id}.", param)


def _unknown_call(output: FunctionOutput, param: str) -> Refuse:
    """OpenAI's own code and words."""
    message = f"Tool call ID '{output.call_id}' not found in conversation."
    return Refuse("invalid_tool_call_id", message, param)
