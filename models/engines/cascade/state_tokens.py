"""The state tokens of a stream: a speech model hears the user's turn and judges it.

It needs to know no more of the conversation than what the sound may refer to: the last exchange.
So each turn is heard in a fresh stream of that model, and its room never fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.base import (
    AssistantText,
    Conversation,
    Instance,
    Item,
    Mark,
    Samples,
    Stream,
    UnknownMark,
    UserSound,
    UserText,
    Verdict,
)

WORDS_KEPT = 40  # of each text of the last exchange


class StateTokenStream:
    """The verdicts on one turn after the other. `turn` is a number that names the turn that is
    being heard; 0: none."""

    def __init__(self, model: Instance) -> None:
        self._model = model
        self._stream: Stream | None = None
        self.turn = 0

    async def hear(
        self,
        turn: int,
        before: tuple[Item, ...],
        heard: Sequence[Samples],
        chunk: Samples,
        *,
        last: bool,
    ) -> Verdict:
        """Judge the open segment of a turn: the samples `heard` and then `chunk`. `before` is the
        conversation before it. Where another turn was heard last, the segment is heard from its
        beginning. Raises InstanceFailed."""
        if self._stream is None or turn != self.turn:
            await self.close()
            self._stream = await self._model.open(Conversation(last_exchange(before)))
            self.turn = turn
            chunk = np.concatenate((*heard, chunk))
        return await self._stream.hear(chunk, last=last)

    async def end_segment(self, turn: int) -> None:
        """The segment is over; the turn may go on."""
        if self._stream is not None and turn == self.turn:
            await self._stream.end_segment()

    def embedded(self, turn: int) -> npt.NDArray[np.float32] | None:
        """The turn as the model that judges saw it, [tokens, width]."""
        is_known = self._stream is not None and turn == self.turn
        return self._stream.embedded() if self._stream is not None and is_known else None

    async def mark(self, turn: int) -> Mark | None:
        """Where it is in this turn; None where it has not begun to hear it."""
        if self._stream is None or turn != self.turn:
            return None
        return await self._stream.mark()

    async def rewind(self, turn: int, mark: Mark | None) -> None:
        """Go back to a mark of this turn; what cannot be gone back to is heard anew."""
        if self._stream is None or turn != self.turn:
            return
        if mark is None:
            self.turn = 0
            return
        try:
            await self._stream.rewind(mark)
        except UnknownMark:
            self.turn = 0

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        self.turn = 0
        if stream is not None:
            await stream.close()


def last_exchange(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """What a turn may refer to: the last answer with the user's turn before it, and what the user
    has said or typed since. Long texts are shortened: an answer is cut where it was last heard."""
    spoken = [item for item in items if isinstance(item, UserText | UserSound | AssistantText)]
    answers = [place for place, item in enumerate(spoken) if isinstance(item, AssistantText)]
    start = max(0, answers[-1] - 1) if answers else max(0, len(spoken) - 1)
    exchange = [*spoken[start : start + 2], *spoken[start + 2 :][-2:]]
    return tuple(_shortened(item) for item in exchange)


def _shortened(item: UserText | UserSound | AssistantText) -> Item:
    if isinstance(item, UserSound):
        return UserText(_last_words(item.words)) if item.embedded is None else item
    return replace(item, text=_last_words(item.text))


def _last_words(text: str) -> str:
    """The end of a text: its last words, or characters where there are no spaces."""
    return " ".join(text.split()[-WORDS_KEPT:])[-6 * WORDS_KEPT :]
