"""A small stage for the pure core: timed events in, actions out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from duplex import actions, events
from duplex.endpointing import Settings
from duplex.session import Session
from models.base import SPEAK_RATE, SpokenWord, Verdict

WINDOW = 0.032
QUERY = Verdict(query=0.9, noise=0.05, unfinished=0.05)
NOISE = Verdict(query=0.05, noise=0.9, unfinished=0.05)
UNFINISHED = Verdict(query=0.1, noise=0.1, unfinished=0.8)

Kind = TypeVar("Kind")


@dataclass
class Scene:
    """Drives one session in windows of 32 ms and keeps everything it asked for."""

    settings: Settings = field(default_factory=Settings)
    verdict: Verdict | None = QUERY  # what the monitor says at every window and flush
    answers: bool = True  # give sound to every StartAnswer
    answer_seconds: float = 3.0

    def __post_init__(self) -> None:
        self.session = Session("t", self.settings)
        self.now = 0.0
        self.log: list[tuple[float, actions.Action]] = []
        self.audio = 0.0
        self.segment: int | None = None
        self.watch: Callable[[float, actions.Action], None] = lambda now, action: None

    # ------------------------------------------------------------------------- driving

    def handle(self, event: events.Event) -> None:
        self._take(self.session.handle(event, self.now))

    def advance(self, seconds: float) -> None:
        """Let time pass without user audio, obeying the deadline."""
        end = self.now + seconds
        while (due := self.session.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self._take(self.session.handle_timer(self.now))
            again = self.session.deadline
            assert again is None or again > self.now, "a deadline that has passed came again"
        self.now = end

    def wake(self) -> None:
        """The timer comes now, whether it is due or not."""
        self._take(self.session.handle_timer(self.now))

    def hear(self, seconds: float, voice: bool, *, echo: bool = False) -> None:
        """User audio at playing speed; the monitor judges after each window of an open segment."""
        for _ in range(round(seconds / WINDOW)):
            self.advance(WINDOW)
            start, self.audio = self.audio, self.audio + WINDOW
            probability = 0.95 if voice else 0.02
            self.handle(events.VoiceMeasured(start, self.audio, probability, echo))
            if self.segment is not None and voice and self.verdict is not None:
                self.judge(self.verdict)

    def judge(self, verdict: Verdict, *, flushed: bool = False) -> None:
        assert self.segment is not None
        self.handle(events.VerdictGiven(self.segment, verdict, self.audio, flushed))

    def ask(self, seconds: float = 1.0, silence: float = 0.4) -> None:
        """A spoken query with a clear end."""
        self.hear(seconds, True)
        self.hear(silence, False)

    def _take(self, found: list[actions.Action]) -> None:
        """As the orchestrator does: all actions of one event, and then what they lead to."""
        for action in found:
            self.log.append((self.now, action))
            self.watch(self.now, action)
        for action in found:
            self._react(action)

    def _react(self, action: actions.Action) -> None:
        if isinstance(action, actions.BeginHearing):
            self.segment = action.segment
        elif isinstance(action, actions.ReplaceMonitor) and action.resume is not None:
            self.segment = action.resume.segment
        elif isinstance(action, actions.EndHearing):
            self.segment = None
        elif isinstance(action, actions.FlushHearing) and self.verdict is not None:
            self.judge(self.verdict, flushed=True)
        elif isinstance(action, actions.StartAnswer) and self.answers:
            self.say(action.response_id)

    def say(self, response_id: int) -> None:
        """Ten words a second of answer, all at once."""
        count = round(self.answer_seconds * 10)
        step = SPEAK_RATE // 10
        words = tuple(SpokenWord(f"w{n}", n * step, (n + 1) * step) for n in range(count))
        self.handle(events.AnswerTextMade(response_id, " ".join(word.text for word in words)))
        self.handle(events.AnswerSoundMade(response_id, count * step, words))
        self.handle(events.AnswerFinished(response_id))

    # ------------------------------------------------------------------------- looking

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [action for _, action in self.log if isinstance(action, kind)]

    def one(self, kind: type[Kind]) -> Kind:
        found = self.all(kind)
        assert len(found) == 1, found
        return found[0]

    def times(self, kind: type[Kind]) -> Iterator[float]:
        return (now for now, action in self.log if isinstance(action, kind))

    def reasons(self) -> list[str]:
        return [decision.reason.value for decision in self.all(actions.Decide)]
