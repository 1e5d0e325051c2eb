"""From a segment to a turn of the conversation, and from the turn to its answer."""

from __future__ import annotations

from duplex import actions as do
from duplex import endpointing, interruption
from duplex.answering import Answering, Emit, decide
from duplex.conversation import Conversation
from duplex.segment import Segment
from duplex.settings import Settings


class Turns:
    """Adds turns and asks for their answers. `token` makes item ids unique among sessions."""

    def __init__(
        self, conversation: Conversation, answering: Answering, emit: Emit, token: str
    ) -> None:
        self.conversation = conversation
        self.answering = answering
        self.emit = emit
        self.token = token
        self.settings = Settings()
        self.waiting: Segment | None = None  # committed, to be answered after the current answer
        self.num_items = 0

    def new_item_id(self) -> str:
        self.num_items += 1
        return f"item_{self.token}_{self.num_items}"

    def add(self, segment: Segment, words: str, heard_until: float) -> None:
        before = self.conversation.add_sound(segment.item_id, words)
        self.emit(do.BufferCommitted(segment.item_id, before))
        item = self.conversation.find(segment.item_id).to_wire()
        self.emit(do.ItemAdded(item, before))
        seconds = heard_until - segment.start
        self.emit(do.TranscriptAdded(segment.item_id, words, True, seconds))

    def answer(self, segment: Segment, now: float) -> None:
        """Ask for the answer to a committed turn, or say why there is none."""
        current = self.answering.current
        if not self.settings.create_response:
            self.drop_speculation(segment)
            self.emit(decide(segment, do.Reason.NOT_REQUESTED))
        elif not self.settings.is_semantic and endpointing.is_noise(segment.verdict, self.settings):
            assert segment.verdict is not None
            self.emit(decide(segment, interruption.name_ignored(segment.verdict, False)))
        elif current is not None and current.response_id == segment.answer:
            self.answering.confirm(current)
        elif current is not None:
            self._wait(segment)
        else:
            self.start(segment, now)

    def _wait(self, segment: Segment) -> None:
        """The answer that runs may not be interrupted: this turn comes after it."""
        if self.waiting is not None:
            self.emit(decide(self.waiting, do.Reason.SUPERSEDED))
        self.waiting = segment

    def start(self, segment: Segment, now: float) -> None:
        self.answering.start(
            now, options=self.settings.answer, item_id=self.new_item_id(), segment=segment
        )

    def answer_waiting(self, now: float) -> None:
        """The floor is free: answer the turn that waited for it."""
        if self.waiting is not None and self.answering.current is None:
            segment, self.waiting = self.waiting, None
            self.start(segment, now)

    def give_up(self) -> None:
        """Nobody is there to be answered."""
        if self.waiting is not None:
            segment, self.waiting = self.waiting, None
            self.emit(decide(segment, do.Reason.ABANDONED))

    def speculate(self, segment: Segment, now: float) -> None:
        """A query at a pause: begin the answer at once, held back."""
        if segment.flushed_at is None or not segment.verdict_is_final or segment.verdict is None:
            return
        settings = endpointing.bar(self.settings, amid_talk=segment.amid_talk)
        wanted = settings.is_semantic and settings.speculate and settings.create_response
        if not wanted or self.answering.current is not None or segment.answer is not None:
            return
        if segment.voiced < endpointing.LEAST_VOICE:
            return
        silence = segment.verdict_until - segment.last_voiced
        if endpointing.is_ripe(segment.verdict, silence, settings):
            response = self.answering.start(
                now,
                options=settings.answer,
                item_id=self.new_item_id(),
                segment=segment,
                is_speculative=True,
            )
            segment.answer = response.response_id

    def drop_speculation(self, segment: Segment) -> None:
        current = self.answering.current
        if segment.answer is not None and current is not None and not current.is_confirmed:
            self.answering.forget(current)
        segment.answer = None
