"""What the client asks for by name: items, commits, responses, cancels (pure).

Each request is done whole or refused with a reason; a refusal changes nothing.
"""

from __future__ import annotations

from duplex import actions as do
from duplex import events as happened
from duplex.answering import Answering, Emit, decide
from duplex.conversation import Turn, UnknownItem
from duplex.listening import Listening
from duplex.turns import Turns
from models.base import SPEAK_RATE

# The wire refuses to commit less than this.
LEAST_COMMIT = 0.1


class Requests:
    """Obeys the client's requests on one session."""

    def __init__(
        self, turns: Turns, listening: Listening, answering: Answering, emit: Emit
    ) -> None:
        self.turns = turns
        self.conversation = turns.conversation
        self.listening = listening
        self.answering = answering
        self.emit = emit

    # --------------------------------------------------------------------------- the buffer

    def commit(self, event: happened.CommitRequested, now: float) -> None:
        segment = self.listening.segment
        if segment is None or self.listening.heard_until - segment.start < LEAST_COMMIT:
            self._refuse(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: the buffer has less than 100 ms of audio.",
                event.event_id,
            )
            return
        if not segment.is_forced:
            self.listening.commit(segment, now)
            return
        self.emit(do.FlushHearing(segment.number, self.listening.heard_until))
        words = segment.verdict.words if segment.verdict else ""
        self.listening.finish(segment, segment.item_id)
        self.turns.add(segment, words, self.listening.heard_until)
        self.emit(decide(segment, do.Reason.NOT_REQUESTED))

    def clear(self, event: happened.ClearRequested) -> None:
        if self.listening.segment is not None:
            self.listening.close(self.listening.segment, do.Reason.ABANDONED)
        self.emit(do.BufferCleared())

    # ---------------------------------------------------------------------------- items

    def offer(self, event: happened.ItemOffered) -> None:
        if event.item_id in self.conversation:
            self._refuse(
                "invalid_value", f"Item {event.item_id} exists.", event.event_id, "item.id"
            )
            return
        turn = Turn(event.item_id, event.role, event.parts, dict(event.wire))
        try:
            before = self.conversation.add(turn, event.previous_item_id)
        except UnknownItem as unknown:
            self._unknown(unknown, event.event_id, "previous_item_id")
            return
        self.emit(do.ItemAdded(turn.to_wire(), before))

    def delete(self, event: happened.ItemDeleteRequested) -> None:
        try:
            self.conversation.delete(event.item_id, outdated=event.outdated)
        except UnknownItem as unknown:
            self._unknown(unknown, event.event_id, "item_id")
            return
        self.emit(do.ItemDeleted(event.item_id))

    def retrieve(self, event: happened.ItemRetrieveRequested) -> None:
        try:
            turn = self.conversation.find(event.item_id)
        except UnknownItem:
            self._refuse(
                "item_retrieve_invalid_item_id",
                f"There is no item {event.item_id}.",
                event.event_id,
                "item_id",
            )
            return
        self.emit(do.ItemRetrieved(turn.to_wire()))

    def truncate(self, event: happened.ItemTruncateRequested, now: float, *, strict: bool) -> None:
        """Keep exactly the heard words; a mark beyond the sound is clamped unless strict."""
        try:
            turn = self.conversation.find(event.item_id)
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
        length = self._audio_length(turn)
        samples = event.audio_end_ms * SPEAK_RATE // 1000
        if strict and samples > length:
            message = (
                f"Audio content of {length * 1000 // SPEAK_RATE}ms is already shorter than "
                f"{event.audio_end_ms}ms"
            )
            self._refuse("invalid_value", message, event.event_id, "audio_end_ms")
            return
        self._stop_if_current(turn, min(samples, length), now)
        if samples < length:
            self.conversation.cut(event.item_id, max(0, samples))
        self.emit(do.ItemTruncated(event.item_id, event.content_index, event.audio_end_ms))

    def _audio_length(self, turn: Turn) -> int:
        current = self.answering.current
        if current is not None and current.response_id == turn.response_id:
            return current.sent
        return turn.words[-1].end if turn.words else 0

    def _stop_if_current(self, turn: Turn, samples: int, now: float) -> None:
        """A client that truncates the running answer has stopped listening to it."""
        current = self.answering.current
        if current is not None and current.response_id == turn.response_id:
            current.clock.report(samples, now)
            self.answering.stop(current, now, "client_cancelled")

    # ------------------------------------------------------------------------- responses

    def respond(self, event: happened.ResponseRequested, now: float) -> None:
        """An explicit request is always answered."""
        current = self.answering.current
        if event.in_conversation and current is not None and current.is_confirmed:
            self._refuse(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress. "
                "Wait until it is finished or cancel it first.",
                event.event_id,
                "response.create",
            )
            return
        if event.in_conversation and self.listening.segment is not None:
            self.turns.drop_speculation(self.listening.segment)
        self.answering.start(
            now,
            options=event.options,
            item_id=self.turns.new_item_id(),
            items=event.items,
            in_conversation=event.in_conversation,
            metadata=event.metadata,
        )

    def cancel(self, event: happened.CancelRequested, now: float) -> None:
        response = self.answering.current
        if event.response_id is not None:
            response = self.answering.find(event.response_id)
        if response is None or not response.is_confirmed:
            self._refuse(
                "response_cancel_not_active",
                "Cancellation failed: no active response found",
                event.event_id,
            )
            return
        self.answering.stop(response, now, "client_cancelled")

    def report_playout(self, event: happened.PlayoutReported, now: float) -> None:
        response = self.answering.find(event.response_id)
        if response is not None:
            response.clock.report(min(event.samples, response.sent), now)

    # --------------------------------------------------------------------------- refusals

    def _unknown(self, unknown: UnknownItem, event_id: str | None, param: str) -> None:
        message = f"There is no item {unknown.item_id}."
        self._refuse("invalid_value", message, event_id, param)

    def _refuse(
        self, code: str, message: str, event_id: str | None, param: str | None = None
    ) -> None:
        self.emit(do.Refuse(code, message, param, event_id))
