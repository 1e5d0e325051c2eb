"""The session's sound in the shell: of answers until it leaves, and what is kept of it afterwards.

`ResponseTasks` knows who makes each answer. Its `admit` is the one place where output that is no
longer current is dropped, whichever stream it comes from and whatever it is. `AudioStore` keeps
what was heard and said: embeddings of user turns for the models, samples for the client.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from audio.echo import EchoGuard
from audio.frame import Samples
from audio.gain import Ducker
from duplex.actions import SendAudio
from duplex.conversation import ContextContent, OutdatedPicture, SpokenTurn
from duplex.events import AnswerEvent, AnswerSoundMade, HearingFailed, VerdictGiven
from models.base import SPEAK_RATE, Item, SpokenWord, UserSound

if TYPE_CHECKING:
    from duplex.stream_worker import StreamWorker

# So much of an answer is made before it may leave, then as much as leaves: an interruption wastes
# no more than that, and many answers share a machine evenly.
MADE_AHEAD = 3 * SPEAK_RATE
# What is kept of a session: items with sound, and bytes of it. Older ones answer `retrieve` without
# audio and are read as words.
ITEMS_KEPT = 64
BYTES_KEPT = 32 * 2**20


@dataclass(frozen=True, slots=True)
class AnswerSound:
    """Samples [n] of an answer that leave now, 24 kHz, and the words that begin in them, or have
    begun before and are known only now."""

    response_id: int
    samples: Samples
    words: tuple[SpokenWord, ...] = ()


class PlayoutBuffer:
    """The sound of one answer: kept until it may leave, and what has left of it."""

    def __init__(self) -> None:
        self._pieces: list[Samples] = []
        self._words: list[SpokenWord] = []
        self._sent: list[Samples] = []
        self._num_waiting = 0  # samples made that have not left
        self._has_demand = asyncio.Event()

    def add(self, samples: Samples, words: tuple[SpokenWord, ...]) -> None:
        """Take more of the answer, [n] at 24 kHz."""
        self._pieces.append(samples)
        self._words.extend(words)
        self._count(len(samples))

    def take(self, count: int) -> Samples:
        """The next `count` samples. Raises IndexError if so many were not made."""
        self._count(-count)
        taken: list[Samples] = []
        while count:
            piece = self._pieces[0]
            taken.append(piece[:count])
            if len(piece) <= count:
                self._pieces.pop(0)
            else:
                self._pieces[0] = piece[count:]
            count -= len(taken[-1])
        return taken[0] if len(taken) == 1 else np.concatenate(taken)

    def take_words(self, end: int) -> tuple[SpokenWord, ...]:
        """The words not taken yet that begin before `end`, in samples from the start of the
        answer. Some are known only when their sound has left."""
        taken = tuple(word for word in self._words if word.start < end)
        self._words = [word for word in self._words if word.start >= end]
        return taken

    def keep_sent(self, samples: Samples) -> None:
        self._sent.append(samples)

    def sent(self) -> Samples:
        """All that has left, as it left, [n]."""
        return np.concatenate(self._sent) if self._sent else np.zeros(0, np.float32)

    async def demand(self) -> None:
        """Wait until so little of the answer waits that more of it should be made."""
        if self._num_waiting:
            await self._has_demand.wait()

    def close(self) -> None:
        """Let go of whoever waits in `demand`."""
        self._has_demand.set()

    def _count(self, samples: int) -> None:
        self._num_waiting += samples
        if self._num_waiting < MADE_AHEAD:
            self._has_demand.set()
        else:
            self._has_demand.clear()


class TaskState(Enum):
    """What still counts of an answer's output."""

    MAKING = "making"
    CANCELLED = "cancelled"  # nothing more


@dataclass(slots=True, eq=False)
class ResponseTask:
    """One answer in the making and the worker that makes it; `own_stream`: the worker is there for
    this answer alone."""

    response_id: int
    worker: StreamWorker
    own_stream: bool
    buffer: PlayoutBuffer = field(default_factory=PlayoutBuffer)
    state: TaskState = TaskState.MAKING


class ResponseTasks:
    """The registry of answers: owner, cancellation and playout of each."""

    def __init__(self) -> None:
        self._tasks: dict[int, ResponseTask] = {}
        self._ducker = Ducker()
        self._echo = EchoGuard()

    def open(self, response_id: int, worker: StreamWorker, *, own_stream: bool) -> None:
        self._tasks[response_id] = ResponseTask(response_id, worker, own_stream)

    def admit(
        self,
        worker: StreamWorker,
        report: AnswerEvent | VerdictGiven | HearingFailed,
        samples: Samples | None = None,
    ) -> bool:
        """Whether a worker's report still counts; keep its sound if it does.

        Nothing counts that comes from a worker which was left behind, and no output of an answer
        that was cancelled, has ended, or belongs to another worker.
        """
        if worker.is_left_behind:
            return False
        if isinstance(report, VerdictGiven | HearingFailed):
            return True
        task = self._tasks.get(report.response_id)
        if task is None or task.worker is not worker or task.state is TaskState.CANCELLED:
            return False
        if isinstance(report, AnswerSoundMade) and samples is not None:
            task.buffer.add(samples, report.words)
        return True

    async def demand(self, response_id: int) -> None:
        """Wait until more of an answer should be made; at once if it is no longer there."""
        task = self._tasks.get(response_id)
        if task is not None:
            await task.buffer.demand()

    def cancel(self, response_id: int) -> ResponseTask | None:
        """Let nothing more of an answer in; None if it is not there."""
        task = self._tasks.get(response_id)
        if task is not None:
            task.state = TaskState.CANCELLED
            task.buffer.close()
        return task

    def close(self, response_id: int) -> ResponseTask | None:
        """Forget an answer that has ended or never was."""
        task = self._tasks.pop(response_id, None)
        if task is not None:
            task.buffer.close()
        return task

    # ------------------------------------------------------------------------------- sound

    def send(self, action: SendAudio, now: float) -> AnswerSound:
        """Take [start, start+count) out, at the gain of this moment. `now`: session time."""
        buffer = self._tasks[action.response_id].buffer
        samples = buffer.take(action.count)
        if action.start == 0:
            self._ducker.reset()
        if action.ducked:
            self._ducker.duck()
        else:
            self._ducker.restore()
        samples = self._ducker.process(samples)
        buffer.keep_sent(samples)
        self._echo.played(samples, now)
        words = buffer.take_words(action.start + action.count)
        return AnswerSound(action.response_id, samples, words)

    def arrived(self, samples: int, now: float) -> None:
        """So much of the microphone (16 kHz) has come in; it is judged later."""
        self._echo.arrived(samples, now)

    def is_echo(self, samples: Samples) -> bool:
        """True if this window of the microphone (16 kHz) is our own output coming back."""
        return self._echo.heard(samples).is_echo


@dataclass(slots=True)
class _ItemAudio:
    samples: Samples | None = None
    embedded: npt.NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        kept = (self.samples, self.embedded)
        return sum(array.nbytes for array in kept if array is not None)


class AudioStore:
    """The sound of one session's newest items."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, _ItemAudio] = OrderedDict()

    def keep_embedded(self, item_id: str, embedded: npt.NDArray[np.float32] | None) -> None:
        """A user turn as the language model saw it, [tokens, width]; None if unknown."""
        self._item(item_id).embedded = embedded
        self._let_go()

    def keep_samples(self, item_id: str, samples: Samples) -> None:
        """An item's sound, [n]: 16 kHz for the user's, 24 kHz for the assistant's."""
        self._item(item_id).samples = samples
        self._let_go()

    def forget(self, item_id: str) -> None:
        """The item is deleted, and its sound with it."""
        self._items.pop(item_id, None)

    def samples(self, item_id: str) -> Samples | None:
        audio = self._items.get(item_id)
        return None if audio is None else audio.samples

    def resolve(self, content: ContextContent) -> Item:
        """What a stream reads for an entry of the model context."""
        if isinstance(content, OutdatedPicture):
            raise ValueError("an outdated picture is not read")
        if not isinstance(content, SpokenTurn):
            return content
        audio = self._items.get(content.item_id, _ItemAudio())
        return UserSound(audio.samples, audio.embedded, content.words)

    def _item(self, item_id: str) -> _ItemAudio:
        audio = self._items.setdefault(item_id, _ItemAudio())
        self._items.move_to_end(item_id)
        return audio

    def _let_go(self) -> None:
        """The oldest sound goes first; the newest stays, however long."""
        size = sum(audio.size for audio in self._items.values())
        while len(self._items) > 1 and (len(self._items) > ITEMS_KEPT or size > BYTES_KEPT):
            size -= self._items.popitem(last=False)[1].size

    def clear(self) -> None:
        """Forget everything, since the session is over."""
        self._items.clear()
