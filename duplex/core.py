"""The state that the parts of one session share: settings, the open segment, the responses.

Each thing stands here once. `Listening`, `BargeIn`, `Turns`, `Answering` and `Requests` read and
change it; none of them keeps a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from audio.playout import PlayoutClock
from duplex import actions
from duplex.conversation import ContextEntry, History
from duplex.endpointing import VERDICT_TIMEOUT_S, PauseHabit, Settings, Thresholds, thresholds_for
from duplex.states import (
    ASSISTANT_STATES,
    AssistantState,
    DeliveryState,
    DeliveryStep,
    ImpossibleStep,
    Machine,
    MakingState,
    MakingStep,
    OverlapState,
    OverlapStep,
    SegmentState,
    SegmentStep,
    UserState,
    VoiceStep,
    new_delivery,
    new_making,
    new_overlap,
    new_progress,
    new_voice,
)
from models.base import AnswerOptions, AnswerTimes, SpokenWord, Verdict


class Origin(Enum):
    """What opened a segment."""

    VOICE = "voice"
    CLIENT = "client"  # the client's own buffer or an idle timeout: never judged by its pauses


@dataclass(slots=True)
class Segment:
    """One stretch of the user's sound, from its onset to its one decision.

    Times are seconds of user audio, except `onset_at`. `start` is where hearing begins: the onset
    less some padding. `voiced` counts seconds of voice. `overlapped_response` is the answer that
    played at the onset; `continues_turn` says that so little of it had been heard that the user is
    taken to go on with the turn before. `speculation` is the answer begun before the pause was
    confirmed.
    """

    number: int
    item_id: str
    start: float
    onset: float
    last_voiced: float
    thresholds: Thresholds
    onset_at: float = 0.0  # session time
    origin: Origin = Origin.VOICE
    after_side_talk: bool = False
    continues_turn: bool = False
    overlapped_response: int | None = None
    voiced: float = 0.0
    is_heard_again: bool = False  # by another monitor, after the first one failed
    verdict: Verdict | None = None
    verdict_until: float = 0.0
    flushed_at: float | None = None  # of the last flush, None while the voice goes on
    asked_early_at: float = 0.0  # user audio, of the last flush while the voice went on
    asked_ahead_at: float = 0.0  # the same, of the last flush where a pause was likely
    judged_at: float = 0.0  # session time of the last flush or verdict: since then one is awaited
    speculation: int | None = None
    speaker_score: float | None = None  # that the voice is a user's; None: not compared
    is_withheld: bool = False  # its words were enough for a user's voice, and it was another's
    progress: Machine[SegmentState, SegmentStep] = field(default_factory=new_progress)
    voice: Machine[UserState, VoiceStep] = field(default_factory=new_voice)
    overlap: Machine[OverlapState, OverlapStep] = field(default_factory=new_overlap)

    @property
    def is_paused(self) -> bool:
        return self.voice.state is UserState.PAUSED

    @property
    def met_answer(self) -> bool:
        """True if it began over an answer and has not ended it."""
        return self.overlap.state in (OverlapState.OVER, OverlapState.DUCKED)

    @property
    def is_compared(self) -> bool:
        """True where it matters whose voice it is: over an answer, and after talk to others."""
        return self.origin is Origin.VOICE and (self.met_answer or self.after_side_talk)

    @property
    def is_other_speaker(self) -> bool:
        """True if another voice than the users' has to say surer words."""
        score = self.speaker_score
        return self.is_compared and score is not None and score < self.thresholds.user_voice

    @property
    def awaits_verdict(self) -> bool:
        """True while the monitor has been asked for a verdict and has not given it."""
        return self.flushed_at is not None and self.verdict_until < self.flushed_at - 0.001

    @property
    def verdict_due(self) -> float | None:
        """Session time until which the awaited verdict may come; None where none is awaited."""
        return self.judged_at + VERDICT_TIMEOUT_S if self.awaits_verdict else None

    @property
    def final_verdict(self) -> Verdict | None:
        """The verdict, if it covers all of the voice."""
        return self.verdict if self.verdict_until >= self.last_voiced else None


@dataclass(slots=True)
class Response:
    """One answer: what the model has made, what has been sent, and what has been heard of it.

    Sound is counted in samples at 24 kHz. `segment` is the user's segment that it answers, whose
    decision waits for it. `out_of_band`: it is no part of the conversation, so it neither takes
    the floor nor enters the history.
    """

    response_id: int
    item_id: str
    options: AnswerOptions
    clock: PlayoutClock
    segment: Segment | None = None
    out_of_band: bool = False
    metadata: dict[str, str] | None = None
    previous_item_id: str | None = None
    texts: list[str] = field(default_factory=list)
    words: list[SpokenWord] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    letters_sent: int = 0
    num_calls_sent: int = 0
    times: AnswerTimes | None = None  # where the time went, until it has been shown
    samples_made: int = 0
    samples_sent: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    last_progress: float = 0.0  # session time at which something was made or left
    making: Machine[MakingState, MakingStep] = field(default_factory=new_making)
    delivery: Machine[DeliveryState, DeliveryStep] = field(default_factory=new_delivery)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def is_held_back(self) -> bool:
        return self.delivery.has(DeliveryStep.CONFIRM)

    @property
    def answers_speech(self) -> bool:
        return self.segment is not None

    @property
    def is_made(self) -> bool:
        """True once the model gives no more."""
        return self.making.state is not MakingState.MAKING

    @property
    def is_empty(self) -> bool:
        """True if the model decided to say nothing: a stop word was obeyed."""
        return self.is_made and not self.text.strip() and not self.samples_made and not self.calls

    @property
    def awaits_model(self) -> bool:
        """True while the model has yet to give something before anything more can leave."""
        return not self.is_made and self.samples_sent >= self.samples_made

    @property
    def is_sent(self) -> bool:
        """True once all of it was made and has left."""
        return self.is_made and self.samples_sent >= self.samples_made

    @property
    def has_output(self) -> bool:
        return bool(self.samples_sent or self.letters_sent or self.num_calls_sent)


class Responses:
    """The registry of answers: the conversation's current one and those out of band.

    `find` is where the core drops what is late: an answer that has ended is not found.
    """

    def __init__(self) -> None:
        self.current: Response | None = None
        self.num_opened = 0
        self._out_of_band: dict[int, Response] = {}

    def __iter__(self) -> Iterator[Response]:
        current = () if self.current is None else (self.current,)
        return iter((*current, *self._out_of_band.values()))

    def next_id(self) -> int:
        self.num_opened += 1
        return self.num_opened

    def open(self, response: Response) -> None:
        """Take in an answer that begins. Raises ImpossibleStep where the conversation has one."""
        if response.out_of_band:
            self._out_of_band[response.response_id] = response
        elif self.current is not None:
            raise ImpossibleStep("an answer begins beside another")
        else:
            self.current = response

    def close(self, response: Response) -> None:
        response.delivery.take(DeliveryStep.END)
        if response.out_of_band:
            del self._out_of_band[response.response_id]
        elif self.current is response:
            self.current = None

    def find(self, response_id: int) -> Response | None:
        """The answer of that number, if its output still counts."""
        if self.current is not None and self.current.response_id == response_id:
            return self.current
        return self._out_of_band.get(response_id)


class SessionState:
    """All that one session knows. `token` makes its item ids unique among sessions."""

    def __init__(self, token: str, settings: Settings) -> None:
        self.settings = settings
        self.conversation = History()
        self.responses = Responses()
        self.segment: Segment | None = None  # the open one
        self.habit = PauseHabit()
        self._token = token
        self._num_items = 0
        self._num_segments = 0
        self._actions: list[actions.Action] = []

    @property
    def user(self) -> UserState:
        """What the user does, as far as the open segment says."""
        return UserState.SILENT if self.segment is None else self.segment.voice.state

    @property
    def assistant(self) -> AssistantState:
        """What the assistant does, as far as the current answer says."""
        current = self.responses.current
        if current is None:
            return AssistantState.LISTENING
        return ASSISTANT_STATES[current.delivery.state]

    def emit(self, action: actions.Action) -> None:
        """Ask for an action; actions are carried out in this order after the event."""
        self._actions.append(action)

    def take_actions(self) -> list[actions.Action]:
        taken, self._actions = self._actions, []
        return taken

    def new_item_id(self) -> str:
        """A name that no item of the conversation has, whoever has named it."""
        while True:
            self._num_items += 1
            item_id = f"item_{self._token}_{self._num_items}"
            if item_id not in self.conversation:
                return item_id

    def is_named(self, item_id: str) -> bool:
        """Whether an item has this id, or an open segment or answer that may become one."""
        segment = self.segment
        return (
            item_id in self.conversation
            or (segment is not None and segment.item_id == item_id)
            or any(response.item_id == item_id for response in self.responses)
        )

    def open_segment(
        self, start: float, onset: float, now: float, origin: Origin, *, after_side_talk: bool
    ) -> Segment:
        """Begin a segment whose sound begins at `start` and whose voice at `onset`."""
        self._num_segments += 1
        self.segment = Segment(
            self._num_segments,
            self.new_item_id(),
            start,
            onset,
            onset,
            thresholds_for(self.settings, after_side_talk=after_side_talk),
            onset_at=now,
            origin=origin,
            after_side_talk=after_side_talk,
        )
        return self.segment

    def decide_echo(self, start: float, end: float) -> None:
        """Record that our own output was heard, as a segment that is decided at once."""
        self._num_segments += 1
        thresholds = thresholds_for(self.settings)
        echo = Segment(self._num_segments, "", start, start, end, thresholds)
        self.decide(echo, actions.Reason.ECHO)

    def decide(
        self, segment: Segment, reason: actions.Reason, response_id: int | None = None
    ) -> None:
        """Give a segment its one decision. Raises ImpossibleStep if it has one."""
        segment.progress.take(SegmentStep.DECIDE)
        self.emit(
            actions.Decide(
                segment.number,
                reason,
                segment.onset,
                segment.last_voiced,
                segment.verdict,
                segment.item_id,
                response_id,
                segment.speaker_score,
            )
        )

    # --------------------------------------------------------------------- the model context

    def context(self, now: float) -> tuple[ContextEntry, ...]:
        """What a model has to know at session time `now`: everything said so far, and of the
        answer that plays exactly the words heard by then."""
        current = self.responses.current
        if current is None or current.is_held_back:
            return self.conversation.context()
        continues_turn = self.segment is not None and self.segment.continues_turn
        heard = current.clock.heard(now)
        return self.conversation.context(current.response_id, heard, without=continues_turn)

    def begin_hearing(self, segment: Segment, now: float) -> actions.BeginHearing:
        return actions.BeginHearing(segment.number, segment.start, self.context(now))

    def sync_monitor(self, now: float) -> None:
        """Tell the monitor the conversation as it stands, unless it is hearing a segment."""
        if self.segment is None:
            self.emit(actions.SyncMonitor(self.context(now)))

    def brief_monitor(self, now: float) -> None:
        """Tell a stream that has just become the monitor the conversation, and let it hear the open
        segment from its start."""
        if self.segment is None:
            self.sync_monitor(now)
        else:
            self.emit(self.begin_hearing(self.segment, now))
