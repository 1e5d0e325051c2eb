"""A state machine that does to a session whatever it likes, before the eyes of the auditor."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from duplex import events
from duplex.answering import ANSWER_TIMEOUT_S
from duplex.endpointing import MAX_SEGMENT_S, Settings, TurnDetection
from models.base import SPEAK_RATE, AnswerOptions, SpokenWord, UserText, Verdict
from tests.duplex.oracle import Auditor
from tests.duplex.played_answer import Word
from tests.duplex.scene import NOISE, QUERY, UNFINISHED, Scene

UNSURE = Verdict(query=0.55, noise=0.2, unfinished=0.25)
OPEN = Verdict(query=0.4, noise=0.3, unfinished=0.3)
VERDICTS = st.sampled_from([QUERY, NOISE, UNFINISHED, UNSURE, OPEN])
DETECTIONS = st.sampled_from([TurnDetection.SEMANTIC, *TurnDetection])
STARTS = ("silent", "playing", "ducked", "prepared", "paused", "talked over")
Started = MultipleResults[int]


class AnyOrder(RuleBasedStateMachine):
    """A client, a microphone and two models that do whatever they like."""

    responses: Bundle[int] = Bundle("responses")
    runs: ClassVar[list[set[str]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.stage = Scene(verdict=None, answers=False)
        self.auditor = Auditor()
        self.stage.watch = self.auditor.observe
        self.made: Counter[int] = Counter()
        self.num_words = 0
        self.known: set[int] = set()

    def started(self) -> Started:
        """Answers that have begun since the last rule."""
        new = sorted(set(self.auditor.answers) - self.known)
        self.known |= set(new)
        return multiple(*new)

    def handle(self, event: events.Event) -> None:
        self.stage.handle(event)

    def judge(self, verdict: Verdict, *, flushed: bool = False) -> None:
        self.auditor.judged(verdict.query)
        self.stage.judge(verdict, flushed=flushed)

    # ------------------------------------------------------------------------ where it begins

    @initialize(
        target=responses,
        start=st.sampled_from([*STARTS, "playing", "ducked", "ducked"]),
        delay=st.sampled_from([0.0, 0.0, 0.05]),
        interrupt=st.sampled_from([True, True, True, False]),
    )
    def begin(self, start: str, delay: float, interrupt: bool) -> Started:
        self.auditor.delay = delay
        if not interrupt:
            self.handle(events.SettingsChanged(Settings(interrupt_response=False)))
        if start in ("playing", "ducked", "talked over"):
            self.ask_and_answer(1.0, 4.0)
            self.stage.hear(0.8, False)
            assert self.auditor.assistant == "speaking"
        if start == "ducked" and interrupt:
            self.stage.hear(0.1, True)
            assert self.auditor.assistant == "ducked"
        if start == "talked over":
            AnyOrder.another_voice(self, 0.6, NOISE)
        if start == "prepared":
            self.stage.hear(1.0, True)
            self.pause(QUERY)
            assert "prepared" in self.auditor.reached
        if start == "paused":
            self.stage.hear(0.6, True)
            self.pause(UNFINISHED)
        return self.started()

    def pause(self, verdict: Verdict) -> None:
        """A pause that is flushed and judged, and not yet long enough to end a turn."""
        self.stage.hear(0.1, False)
        if self.stage.segment is not None:
            self.judge(verdict, flushed=True)

    def ask_and_answer(self, seconds: float, answered: float) -> None:
        self.stage.hear(seconds, True)
        self.pause(QUERY)
        self.stage.hear(0.2, False)
        live = [one for one in self.auditor.live if not one.out_of_band]
        for answer in live:
            for _ in range(round(answered / 0.4)):
                self.say(answer.number, 0.4)

    def say(self, number: int, seconds: float) -> None:
        """Sound with a word in each half of it."""
        count = round(seconds * SPEAK_RATE / 2)
        start = self.made[number]
        self.made[number] += 2 * count
        words = []
        for place in (start, start + count):
            words.append(Word(f"w{self.num_words}", place, place + count))
            self.num_words += 1
        text = "".join(word.text + " " for word in words)
        self.auditor.gave(number, text, words, 2 * count)
        spoken = tuple(SpokenWord(word.text, word.start, word.end) for word in words)
        self.handle(events.AnswerTextMade(number, text, 7, len(words)))
        self.handle(events.AnswerSoundMade(number, 2 * count, spoken))

    # --------------------------------------------------------------------- the microphone

    @rule(target=responses, seconds=st.floats(0.05, 1.5), voice=st.booleans(), echo=st.booleans())
    def audio(self, seconds: float, voice: bool, echo: bool) -> Started:
        self.stage.hear(seconds, voice, echo=echo)
        return self.started()

    @rule(target=responses, seconds=st.floats(0.0, 3.0))
    def nothing(self, seconds: float) -> Started:
        self.stage.advance(seconds)
        return self.started()

    @rule(target=responses)
    def wake_early(self) -> Started:
        """The timer may come at any moment."""
        self.stage.wake()
        return self.started()

    @rule(target=responses, seconds=st.floats(0.2, 1.5), verdict=VERDICTS)
    def speak_and_pause(self, seconds: float, verdict: Verdict) -> Started:
        self.stage.hear(seconds, True)
        self.pause(verdict)
        return self.started()

    @rule(target=responses, seconds=st.floats(0.3, 1.5), answered=st.floats(0.4, 4.0))
    def question(self, seconds: float, answered: float) -> Started:
        """A whole question, and its answer begins to play."""
        self.ask_and_answer(seconds, answered)
        return self.started()

    @rule(target=responses, heard=st.floats(0.0, 1.5), verdict=VERDICTS)
    def question_talked_over(self, heard: float, verdict: Verdict) -> Started:
        self.ask_and_answer(0.6, 3.0)
        self.stage.hear(heard, False)
        self.barge_in(0.6, verdict)
        return self.started()

    @rule(
        target=responses,
        seconds=st.floats(0.1, 1.0),
        verdict=VERDICTS,
        score=st.sampled_from([None, None, 0.1, 0.9]),
    )
    def barge_in(self, seconds: float, verdict: Verdict, score: float | None = None) -> Started:
        """A voice that is judged while it goes on, and perhaps compared."""
        for _ in range(3):
            self.stage.hear(seconds / 3, True)
            if score is not None:
                self.speaker_is(score)
            if self.stage.segment is not None:
                self.judge(verdict)
        return self.started()

    @rule(
        target=responses,
        seconds=st.floats(0.4, 1.0),
        verdict=st.sampled_from([NOISE, UNSURE, UNSURE, QUERY]),
    )
    def another_voice(self, seconds: float, verdict: Verdict) -> Started:
        """Somebody else speaks to the end, in words that a user's voice would be let in with."""
        self.barge_in(seconds, UNFINISHED, 0.1)
        for _ in range(8):
            self.pause(verdict)
        return self.started()

    # -------------------------------------------------------------------------- the models

    @rule(target=responses, verdict=VERDICTS, flushed=st.booleans())
    def verdict(self, verdict: Verdict, flushed: bool) -> Started:
        if self.stage.segment is not None:
            self.judge(verdict, flushed=flushed)
        return self.started()

    @rule(target=responses, verdict=VERDICTS, segment=st.integers(1, 9), late=st.floats(0, 0.5))
    def late_verdict(self, verdict: Verdict, segment: int, late: float) -> Started:
        if segment == self.auditor.open_segment:
            self.auditor.judged(max(verdict.query, self.auditor.query))
        self.handle(events.VerdictGiven(segment, verdict, max(0.0, self.stage.audio - late)))
        return self.started()

    @rule(target=responses, score=st.sampled_from([0.1, 0.9]), late=st.booleans())
    def speaker_scored(self, score: float, late: bool) -> Started:
        self.speaker_is(score, late=late)
        return self.started()

    def speaker_is(self, score: float, *, late: bool = False) -> None:
        """So likely is the voice a user's. `late`: said of a segment that is over."""
        if self.stage.segment is not None:
            segment = self.stage.segment - late
            self.auditor.scored(segment, score)
            self.handle(events.SpeakerScored(segment, score, self.stage.audio))

    @rule(target=responses)
    def hearing_failed(self) -> Started:
        if self.stage.segment is not None:
            self.handle(events.HearingFailed(self.stage.segment, "broken"))
        return self.started()

    @rule(target=responses)
    def monitor_unresponsive(self) -> Started:
        self.handle(events.MonitorUnresponsive())
        return self.started()

    @rule(target=responses, number=responses, seconds=st.floats(0.02, 1.0))
    def sound(self, number: int, seconds: float) -> Started:
        self.say(number, seconds)
        return self.started()

    @rule(target=responses, number=responses)
    def text_alone(self, number: int) -> Started:
        self.num_words += 1
        self.auditor.gave(number, f"t{self.num_words} ", [], 0)
        self.handle(events.AnswerTextMade(number, f"t{self.num_words} "))
        return self.started()

    @rule(target=responses, number=responses, incomplete=st.booleans())
    def finished(self, number: int, incomplete: bool) -> Started:
        self.handle(events.AnswerFinished(number, incomplete))
        return self.started()

    @rule(target=responses, number=responses)
    def failed(self, number: int) -> Started:
        self.handle(events.AnswerFailed(number, "broken"))
        return self.started()

    @rule(target=responses, number=responses)
    def called(self, number: int) -> Started:
        self.handle(events.AnswerCallMade(number, "get_time", "{}"))
        return self.started()

    # -------------------------------------------------------------------------- the client

    @rule(target=responses, apart=st.booleans(), speak=st.booleans(), given=st.booleans())
    def respond(self, apart: bool, speak: bool, given: bool) -> Started:
        items = (UserText("classify"),) if given and apart else None
        options = AnswerOptions(speak=speak)
        self.handle(events.ResponseRequested(options, items, in_conversation=not apart))
        return self.started()

    @rule(target=responses, number=st.one_of(st.none(), responses))
    def cancel(self, number: int | None) -> Started:
        self.handle(events.CancelRequested(number))
        return self.started()

    @rule(target=responses)
    def commit(self) -> Started:
        self.auditor.is_client_ending = True
        self.handle(events.CommitRequested())
        self.auditor.is_client_ending = False
        return self.started()

    @rule(target=responses)
    def clear(self) -> Started:
        self.handle(events.ClearRequested())
        return self.started()

    @rule(target=responses, name=st.sampled_from("abc"), after=st.sampled_from([None, "root", "a"]))
    def offer(self, name: str, after: str | None) -> Started:
        wire = {"type": "message", "role": "user", "content": []}
        self.handle(events.ItemOffered(name, "user", (UserText("typed"),), wire, after))
        return self.started()

    @rule(target=responses, milliseconds=st.integers(0, 5000), place=st.integers(0, 9))
    def truncate(self, milliseconds: int, place: int) -> Started:
        item_id = self.item(place)
        self.auditor.will_truncate(item_id, milliseconds)
        self.handle(events.ItemTruncateRequested(item_id, 0, milliseconds))
        return self.started()

    @rule(target=responses, place=st.integers(0, 9), outdated=st.booleans())
    def delete(self, place: int, outdated: bool) -> Started:
        self.handle(events.ItemDeleteRequested(self.item(place)))
        return self.started()

    @rule(place=st.integers(0, 9))
    def retrieve(self, place: int) -> None:
        self.handle(events.ItemRetrieveRequested(self.item(place)))

    def item(self, place: int) -> str:
        turns = self.stage.session.conversation.turns
        return turns[place].item_id if place < len(turns) else "nobody"

    @rule(target=responses, number=responses)
    def report(self, number: int) -> Started:
        """The client tells truly how much it has played."""
        answer = self.auditor.answers[number]
        played = int(answer.played(self.stage.now, self.auditor.delay))
        self.handle(events.PlayoutReported(number, played))
        return self.started()

    @rule(
        target=responses,
        detection=DETECTIONS,
        interrupt=st.booleans(),
        create=st.sampled_from([True, True, False]),
        speculate=st.sampled_from([True, True, False]),
        idle=st.sampled_from([None, 5.0]),
    )
    def configure(self, detection: TurnDetection, **fields: Any) -> Started:
        changed = Settings(
            turn_detection=detection,
            interrupt_response=fields["interrupt"],
            create_response=fields["create"],
            speculate=fields["speculate"],
            idle_timeout=fields["idle"],
        )
        self.set_up(changed)
        return self.started()

    def set_up(self, changed: Settings) -> None:
        """Change the settings. A segment of the client's buffer that voice activity takes over
        begins to touch the answer only now."""
        is_manual = changed.turn_detection is TurnDetection.MANUAL
        if self.auditor.is_manual and not is_manual:
            self.auditor.onset_at = self.stage.now
        self.auditor.is_manual = is_manual
        self.auditor.is_server_vad = changed.turn_detection is TurnDetection.SERVER
        self.handle(events.SettingsChanged(changed))

    # ------------------------------------------------------------------------- what holds

    @invariant()
    def every_deadline_lies_ahead(self) -> None:
        self.auditor.settle()
        due = self.stage.session.deadline
        if due is not None and due <= self.stage.now:
            self.stage.wake()
            again = self.stage.session.deadline
            assert again is None or again > self.stage.now

    def finish(self) -> None:
        """At a hang-up, as at the end of all waiting, every segment is decided and every answer
        has ended."""
        if len(self.stage.log) % 2:
            self.handle(events.SessionEnded())
        else:
            self.stage.hear(0.5, False)
            self.set_up(Settings())
            unsent = sum(one.made - one.sent for one in self.auditor.live) / SPEAK_RATE
            self.stage.advance(MAX_SEGMENT_S + 3 * ANSWER_TIMEOUT_S + unsent)
        self.auditor.settle()
        self.auditor.check_end()

    def teardown(self) -> None:
        self.finish()
        for name in sorted(self.auditor.reached):
            event(name)
        self.runs.append(set(self.auditor.reached))
