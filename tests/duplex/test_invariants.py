"""Whatever happens in whatever order, these things hold."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from duplex import actions, events
from duplex.answering import ANSWER_TIMEOUT_S
from duplex.conversation import heard_words, join_words
from duplex.endpointing import MAX_SEGMENT_S
from duplex.settings import Settings, TurnDetection
from models.base import SPEAK_RATE, AnswerOptions, SpokenWord, Verdict
from tests.duplex.scene import NOISE, QUERY, UNFINISHED, Scene

VERDICTS = st.sampled_from([QUERY, NOISE, UNFINISHED, Verdict(0.4, 0.3, 0.0, 0.3)])
DETECTIONS = st.sampled_from(list(TurnDetection))


class AnyOrder(RuleBasedStateMachine):
    """A client, a microphone and two models that do whatever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Scene(verdict=None, answers=False)
        self.made: Counter[int] = Counter()
        self.seen = 0
        self.live: set[int] = set()

    # --------------------------------------------------------------------- what may happen

    @rule(seconds=st.floats(0.05, 1.5), voice=st.booleans(), echo=st.booleans())
    def audio(self, seconds: float, voice: bool, echo: bool) -> None:
        self.stage.hear(seconds, voice, echo=echo)

    @rule(seconds=st.floats(0.0, 3.0))
    def nothing(self, seconds: float) -> None:
        self.stage.advance(seconds)

    @rule(verdict=VERDICTS, flushed=st.booleans())
    def verdict(self, verdict: Verdict, flushed: bool) -> None:
        if self.stage.segment is not None:
            self.stage.judge(verdict, flushed=flushed)

    @rule(number=st.integers(1, 12), samples=st.integers(1, SPEAK_RATE))
    def sound(self, number: int, samples: int) -> None:
        start = self.made[number]
        self.made[number] += samples
        word = SpokenWord(f"w{start}", start, start + samples)
        self.stage.handle(events.AnswerTextMade(number, word.text + " "))
        self.stage.handle(events.AnswerSoundMade(number, samples, (word,)))

    @rule(number=st.integers(1, 12))
    def finished(self, number: int) -> None:
        self.stage.handle(events.AnswerFinished(number))

    @rule(number=st.integers(1, 12))
    def failed(self, number: int) -> None:
        self.stage.handle(events.AnswerFailed(number, "broken"))

    @rule(number=st.integers(1, 12))
    def called(self, number: int) -> None:
        self.stage.handle(events.AnswerCallMade(number, "get_time", "{}"))

    @rule(beside=st.booleans())
    def respond(self, beside: bool) -> None:
        self.stage.handle(events.ResponseRequested(AnswerOptions(), in_conversation=not beside))

    @rule()
    def cancel(self) -> None:
        self.stage.handle(events.CancelRequested())

    @rule()
    def commit(self) -> None:
        self.stage.handle(events.CommitRequested())

    @rule()
    def clear(self) -> None:
        self.stage.handle(events.ClearRequested())

    @rule(milliseconds=st.integers(0, 5000), place=st.integers(0, 9))
    def truncate(self, milliseconds: int, place: int) -> None:
        turns = self.stage.session.conversation.turns
        item_id = turns[place].item_id if place < len(turns) else "nobody"
        self.stage.handle(events.ItemTruncateRequested(item_id, 0, milliseconds))

    @rule(place=st.integers(0, 9))
    def delete(self, place: int) -> None:
        turns = self.stage.session.conversation.turns
        item_id = turns[place].item_id if place < len(turns) else "nobody"
        self.stage.handle(events.ItemDeleteRequested(item_id))

    @rule(number=st.integers(1, 12), samples=st.integers(0, 2 * SPEAK_RATE))
    def report(self, number: int, samples: int) -> None:
        self.stage.handle(events.PlayoutReported(number, samples))

    @rule(detection=DETECTIONS, interrupt=st.booleans(), create=st.booleans())
    def configure(self, detection: TurnDetection, interrupt: bool, create: bool) -> None:
        changed = Settings(
            turn_detection=detection, interrupt_response=interrupt, create_response=create
        )
        self.stage.handle(events.SettingsChanged(changed))

    # ------------------------------------------------------------------------- what holds

    @invariant()
    def nothing_of_a_stale_answer_leaves(self) -> None:
        for _, action in self.stage.log[self.seen :]:
            if isinstance(action, actions.ResponseStarted):
                self.live.add(action.response_id)
            elif isinstance(action, actions.ResponseEnded):
                assert action.response_id in self.live
                self.live.remove(action.response_id)
            elif isinstance(
                action, actions.SendAudio | actions.ResponseTextAdded | actions.ResponseCallAdded
            ):
                assert action.response_id in self.live
        self.seen = len(self.stage.log)

    @invariant()
    def at_most_one_answer_is_current(self) -> None:
        self.nothing_of_a_stale_answer_leaves()
        apart = {
            response.response_id
            for response in self.stage.session.state.responses
            if response.out_of_band
        }
        assert len(self.live - apart) <= 1

    @invariant()
    def samples_leave_in_order_and_once(self) -> None:
        expected: Counter[int] = Counter()
        for sent in self.stage.all(actions.SendAudio):
            assert sent.start == expected[sent.response_id]
            expected[sent.response_id] += sent.count

    @invariant()
    def every_segment_has_at_most_one_decision(self) -> None:
        counts = Counter(decision.segment for decision in self.stage.all(actions.Decide))
        assert all(count == 1 for count in counts.values())

    @invariant()
    def a_timer_leaves_no_deadline_behind_it(self) -> None:
        self.stage.advance(0.0)
        due = self.stage.session.deadline
        assert due is None or due > self.stage.now - 1e-6

    @invariant()
    def history_is_what_was_heard(self) -> None:
        for turn in self.stage.session.conversation.turns:
            if turn.response_id is not None and turn.heard is not None:
                assert turn.heard_text() == join_words(heard_words(turn.words, turn.heard))

    def teardown(self) -> None:
        """At a hang-up, as at the end of all waiting, every segment is decided and every answer
        has ended."""
        if len(self.stage.log) % 2:
            self.stage.handle(events.SessionEnded())
        else:
            self._wait()
        self._check_end()

    def _wait(self) -> None:
        stage = self.stage
        stage.hear(0.5, False)
        stage.handle(events.SettingsChanged(Settings()))
        stage.advance(MAX_SEGMENT_S + 3 * ANSWER_TIMEOUT_S)

    def _check_end(self) -> None:
        stage = self.stage
        self.nothing_of_a_stale_answer_leaves()
        assert not self.live
        begun = {action.segment for action in stage.all(actions.BeginHearing)}
        decided = {decision.segment for decision in stage.all(actions.Decide)}
        open_segment = stage.session.state.segment
        assert begun - decided == ({open_segment.number} if open_segment else set())
        assert open_segment is None


AnyOrder.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnyOrder = AnyOrder.TestCase
