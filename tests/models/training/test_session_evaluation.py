"""One conversation of many turns is measured as the server would keep it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.base import AnswerChunk, AnswerOptions, Conversation, Mark, Samples, Verdict
from models.training.session_evaluation import KEPT, PAUSE, in_one_session, taken

CAPACITY, PLACES = 100, 20  # of a stream, and of a turn with its answer
SECOND = np.zeros(16_000, np.float32)


@dataclass
class ScriptedStream:
    """Gives the verdicts of its instance, and an answer that fills PLACES."""

    instance: ScriptedInstance
    used: int = 0

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        self.instance.heard.append(chunk.size)
        return Verdict(self.instance.queries.pop(0), 0.0, words="what is that")

    async def end_segment(self) -> None:
        self.used += PLACES

    def embedded(self) -> None:
        return None

    async def answer(self, options: AnswerOptions) -> AsyncIterator[AnswerChunk]:
        yield AnswerChunk(text=self.instance.answers.pop(0))

    def room(self) -> int:
        return CAPACITY - self.used

    async def mark(self) -> Mark:
        return Mark(self.used)

    async def rewind(self, mark: Mark) -> None:
        self.instance.rewound += 1

    async def close(self) -> None: ...


@dataclass
class ScriptedInstance:
    queries: list[float]
    answers: list[str]
    opened: list[Conversation] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)
    rewound: int = 0

    async def open(self, conversation: Conversation) -> Any:
        self.opened.append(conversation)
        return ScriptedStream(self)

    def capacity(self) -> int:
        return CAPACITY


async def test_lost_turns_and_empty_answers_are_counted() -> None:
    looks = 5  # in the pause, the first included
    instance = ScriptedInstance([0.9, *[0.1] * looks, 0.9], ["A cat.", ""])
    lost, unanswered = await in_one_session(instance, [SECOND] * 3)  # type: ignore[arg-type]
    assert (lost, unanswered, instance.rewound) == (1, 1, 1)
    assert not instance.queries and not instance.answers


async def test_a_full_stream_is_begun_afresh_with_the_last_items() -> None:
    instance = ScriptedInstance([0.9] * 14, ["A cat."] * 14)
    await in_one_session(instance, [SECOND] * 14)  # type: ignore[arg-type]
    counts = [len(conversation.items) for conversation in instance.opened]
    assert counts[0] == 0 and len(counts) > 2
    assert all(count == KEPT for count in counts[1:])


async def test_a_turn_is_taken_at_the_first_look_that_takes_it() -> None:
    instance = ScriptedInstance([0.2, 0.6, 0.9], [])
    stream = await instance.open(Conversation())
    assert (await taken(stream, SECOND)).query == 0.6
    assert sum(instance.heard) < SECOND.size and instance.heard[0] > SECOND.size * (1 - PAUSE)
