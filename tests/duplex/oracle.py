"""What must be true of any session, told from its actions alone.

The auditor knows what the models gave (the words and where their sound stands) and sees each action
at its time. It plays the sound that leaves the way a client does, packet by packet, and from that
alone tells which words the user has heard; it shares no code with the core's playout clock or its
history. Where the core does what it must not, an assertion fails that names the promise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from duplex import actions
from models.base import SPEAK_RATE, AssistantText
from tests.duplex.played_answer import Answer, Word

LEAD = round(0.08 * SPEAK_RATE)  # samples that sending may run ahead of playing
MAX_DUCK = 0.8  # seconds after the onset of a voice for which it may duck an answer
OTHER_VOICE = 0.4  # a voice of a lower score is another's ...
OTHER_MIN_QUERY = 0.8  # ... whose words have to be so clearly a query
STILL_IN_THE_TURN = 0.5  # seconds of an answer: heard less of it, the user goes on
TOLERANCE = 2e-3  # seconds; times and samples are rounded


@dataclass
class Auditor:
    """Follows one session. `delay`: seconds from sending to hearing of the client that listens."""

    delay: float = 0.0
    is_server_vad: bool = False  # voice alone ends an answer
    is_manual: bool = False  # the client commits: no voice goes on with a turn

    def __post_init__(self) -> None:
        self.answers: dict[int, Answer] = {}
        self.by_item: dict[str, Answer] = {}
        self.open_segment: int | None = None
        self.segments: dict[int, str] = {}  # number: open, ended, committed, decided
        self.overlapped_early: dict[int, int] = {}  # segment: answer of which little was heard
        self.unclear: set[int] = set()  # answers met so near the limit that both is right
        self.speech: set[str] = set()  # items whose speech was announced and not stopped
        self.committed: list[str] = []
        self.learned: set[int] = set()  # segments
        self.deleted: set[str] = set()
        self.reached: set[str] = set()
        self.assistant = "listening"
        self.user = "silent"
        self.onset_at = 0.0
        self.score: float | None = None  # of the open segment's voice
        self.query = 0.0  # of the newest verdict on it
        self.is_client_ending = False  # the client ends the turn, whoever speaks
        self._pending: list[tuple[float, actions.ResponseEnded]] = []
        self._truncated: tuple[str, float] = ("", 0.0)
        self._interrupted: Answer | None = None  # by a segment that has not begun yet

    # --------------------------------------------------------------------- what it is told

    def gave(self, number: int, text: str, words: list[Word], samples: int) -> None:
        """The model gave this, for an answer that may or may not be current."""
        answer = self.answers.get(number)
        if answer is not None and answer.end is None and not answer.num_cancels:
            answer.texts.append(text)
            answer.words += words
            answer.made += samples

    def will_truncate(self, item_id: str, milliseconds: int) -> None:
        """The client says how much of an answer it has played, and is believed."""
        self._truncated = (item_id, milliseconds * SPEAK_RATE / 1000)

    def judged(self, query: float) -> None:
        """The monitor says so of the open segment."""
        self.query = query

    def scored(self, segment: int, score: float) -> None:
        """So likely is the voice of a segment a user's."""
        if segment == self.open_segment:
            self.score = score

    def settle(self) -> None:
        """All actions of an event were seen."""
        for now, end in self._pending:
            self._check_cut(now, end)
        self._pending.clear()
        self._truncated = ("", 0.0)

    def observe(self, now: float, action: actions.Action) -> None:
        check = getattr(self, f"_{type(action).__name__}", None)
        if check is not None:
            check(now, action)

    # ---------------------------------------------------------------------------- hearing

    def _BeginHearing(self, now: float, action: actions.BeginHearing) -> None:
        is_again = self.segments.get(action.segment) == "open"
        assert is_again or action.segment not in self.segments, "a segment begins twice"
        self.segments[action.segment] = "open"
        self.open_segment = action.segment
        if self._interrupted is not None:  # server_vad: the voice alone has ended it
            self._interrupted.is_dropped = self._is_early(self._interrupted, now)
            self._interrupted = None
        if not is_again:
            self.score, self.query = None, 0.0
            self.onset_at = now
            current = self.current
            if current is not None and self._is_early(current, now) and not self.is_manual:
                self.overlapped_early[action.segment] = current.number
        self._check_context(now, action.context)

    def _is_early(self, answer: Answer, now: float) -> bool:
        """The user speaks before half a second of the answer to speech was heard."""
        heard = answer.played(now, self.delay) / SPEAK_RATE
        if abs(heard - STILL_IN_THE_TURN) <= self.delay + TOLERANCE:
            self.unclear.add(answer.number)
        return answer.segment is not None and heard < STILL_IN_THE_TURN

    def _FlushHearing(self, now: float, action: actions.FlushHearing) -> None:
        assert self.segments[action.segment] == "open", "a closed segment is flushed"

    def _EndHearing(self, now: float, action: actions.EndHearing) -> None:
        assert self.segments[action.segment] == "open", "a segment ends twice"
        self.segments[action.segment] = "ended"
        self.open_segment = None

    def _ReplaceMonitor(self, now: float, action: actions.ReplaceMonitor) -> None:
        self.reached.add("replaced")
        if action.resume is not None:
            assert action.resume.segment == self.open_segment
            self._check_context(now, action.resume.context)

    def _SyncMonitor(self, now: float, action: actions.SyncMonitor) -> None:
        assert self.open_segment is None, "a monitor that hears is told to read"
        self._check_context(now, action.context)

    def _Decide(self, now: float, action: actions.Decide) -> None:
        state = self.segments.get(action.segment)
        assert state != "decided", "two decisions for one segment"
        if action.reason is actions.Reason.ECHO:
            assert state is None
        else:
            assert state == "ended", "a segment is decided while it is heard"
        self.segments[action.segment] = "decided"
        self.reached.add(action.reason.value)

    def _SpeechStarted(self, now: float, action: actions.SpeechStarted) -> None:
        assert action.item_id not in self.speech
        self.speech.add(action.item_id)

    def _SpeechStopped(self, now: float, action: actions.SpeechStopped) -> None:
        assert action.item_id in self.speech, "speech stops that never started"
        self.speech.remove(action.item_id)

    def _BufferCommitted(self, now: float, action: actions.BufferCommitted) -> None:
        assert action.item_id not in self.committed
        self.committed.append(action.item_id)

    def _ItemDeleted(self, now: float, action: actions.ItemDeleted) -> None:
        self.deleted.add(action.item_id)

    # -------------------------------------------------------------------------- answering

    @property
    def current(self) -> Answer | None:
        running = [
            answer
            for answer in self.answers.values()
            if answer.is_started and answer.end is None and not answer.out_of_band
        ]
        assert len(running) <= 1, "two answers of the conversation at a time"
        return running[0] if running else None

    @property
    def live(self) -> list[Answer]:
        return [one for one in self.answers.values() if one.end is None and not one.num_cancels]

    def _StartAnswer(self, now: float, action: actions.StartAnswer) -> None:
        assert action.response_id not in self.answers
        assert action.out_of_band or self.current is None, "an answer begins beside another"
        if action.segment is not None:
            assert self.segments[action.segment] in ("open", "ended")
        self.answers[action.response_id] = Answer(
            action.response_id,
            action.options,
            action.speculative,
            action.segment,
            action.out_of_band,
        )
        if action.speculative:
            self.reached.add("prepared")
        if action.segment is None and action.items is None:
            self._check_context(now, action.context)

    def _ConfirmAnswer(self, now: float, action: actions.ConfirmAnswer) -> None:
        answer = self.answers[action.response_id]
        assert answer.is_speculative and not answer.is_confirmed and not answer.num_cancels
        answer.is_confirmed = True
        self.reached.add("confirmed")

    def _ResponseStarted(self, now: float, action: actions.ResponseStarted) -> None:
        if action.response_id not in self.answers:  # no model makes it: it only tells a failure
            told = Answer(action.response_id, action.options, False, None, False, is_failure=True)
            self.answers[action.response_id] = told
        answer = self.answers[action.response_id]
        assert answer.is_confirmed or not answer.is_speculative, "told before it was confirmed"
        assert not answer.is_started
        answer.is_started, answer.item_id = True, action.item_id
        self.by_item[action.item_id] = answer
        assert self.current is None or self.current is answer or answer.out_of_band

    def _ResponseTextAdded(self, now: float, action: actions.ResponseTextAdded) -> None:
        answer = self._leaving(action.response_id)
        left = "".join(answer.texts)[answer.letters_told :]
        assert action.text and left.startswith(action.text), "a text is lost, or told twice"
        answer.letters_told += len(action.text)

    def _ResponseCallAdded(self, now: float, action: actions.ResponseCallAdded) -> None:
        self._leaving(action.response_id)

    def _SendAudio(self, now: float, action: actions.SendAudio) -> None:
        answer = self._leaving(action.response_id)
        assert action.start == answer.sent, "samples are lost, doubled or out of order"
        assert action.start + action.count <= answer.made, "samples leave that were not made"
        answer.packets.append((now, action.count))
        if answer.out_of_band:
            return
        ahead = answer.sent - answer.played(now, 0.0)
        assert ahead <= LEAD + TOLERANCE * SPEAK_RATE, "further ahead than the lead"
        if action.ducked:
            self.reached.add("ducked")
            assert now - self.onset_at <= MAX_DUCK + TOLERANCE, "ducked for too long"

    def _ShowState(self, now: float, action: actions.ShowState) -> None:
        if self.assistant == "ducked" and action.assistant == "speaking":
            self.reached.add("resumed")
        self.user, self.assistant = action.user, action.assistant
        assert (self.assistant == "listening") == (self.current is None)
        assert (self.user == "silent") == (self.open_segment is None)

    def _CancelAnswer(self, now: float, action: actions.CancelAnswer) -> None:
        answer = self.answers[action.response_id]
        assert not answer.num_cancels and answer.end is None
        assert action.rewind == (not answer.is_started), "only what never was is rewound"
        answer.num_cancels += 1
        if action.rewind:
            self.reached.add("dropped")

    def _ResponseEnded(self, now: float, action: actions.ResponseEnded) -> None:
        answer = self._leaving(action.response_id, is_end=True)
        answer.end = action
        is_stopped = action.status in (
            actions.ResponseStatus.CANCELLED,
            actions.ResponseStatus.FAILED,
        )
        if answer.is_failure:
            assert action.status is actions.ResponseStatus.FAILED and not answer.made
            is_stopped = False
        assert answer.num_cancels == is_stopped, "the model is told to stop, if and only if it must"
        assert action.samples == answer.sent
        if not is_stopped:
            assert answer.sent == answer.made, "it ends before all of it has left"
        if action.status is actions.ResponseStatus.FAILED:
            self.reached.add("broken")
        if action.reason == "turn_detected":
            self.reached.add("interrupted")
            self._check_voice()
            if self.open_segment is None:
                self._interrupted = answer
            else:
                early = self.overlapped_early.get(self.open_segment)
                answer.is_dropped = early == answer.number
        if answer.options.speak and not answer.out_of_band:
            if action.status is actions.ResponseStatus.CANCELLED:
                answer.cut_at = answer.played(now, self.delay)
                item_id, samples = self._truncated
                if item_id == answer.item_id:
                    answer.cut_at = min(samples, float(answer.sent))
            elif action.status is actions.ResponseStatus.FAILED:
                answer.cut_at = float(answer.sent)
        self._pending.append((now, action))

    def _check_voice(self) -> None:
        """An answer ends: another voice than the users' has said a clear query to its end."""
        if self.is_server_vad or self.is_client_ending:
            return
        is_other = self.score is not None and self.score < OTHER_VOICE
        assert not is_other or self.query >= OTHER_MIN_QUERY, "another voice ends an answer"

    def _LearnSpeaker(self, now: float, action: actions.LearnSpeaker) -> None:
        learned = [one for one in self.answers.values() if one.segment == action.segment]
        assert any(one.is_started and not one.packets for one in learned), "learned unanswered"
        assert action.segment not in self.learned, "a voice is learned twice"
        self.learned.add(action.segment)

    def _ItemTruncated(self, now: float, action: actions.ItemTruncated) -> None:
        answer = self.by_item[action.item_id]
        samples = action.audio_end_ms * SPEAK_RATE / 1000
        if samples < answer.sent:
            answer.cut_at = samples
        self.reached.add("truncated")

    def _leaving(self, number: int, *, is_end: bool = False) -> Answer:
        """Something of this answer leaves now."""
        answer = self.answers[number]
        assert answer.is_started, "something leaves before its answer was confirmed"
        assert answer.end is None, "something leaves after its answer has ended"
        assert is_end or not answer.num_cancels, "something leaves after its answer was cancelled"
        return answer

    # --------------------------------------------------------------------- the heard truth

    def _check_cut(self, now: float, end: actions.ResponseEnded) -> None:
        """The end says how much was heard, within a word."""
        answer = self.answers[end.response_id]
        if answer.out_of_band or not answer.options.speak or end.item_id is None:
            return
        if answer.cut_at is not None:
            heard = end.heard_ms * SPEAK_RATE / 1000
            assert abs(heard - answer.cut_at) <= self._slack, "heard_ms is not what was played"
        self._check_words(answer, end.heard, answer.cut_at)

    @property
    def _slack(self) -> float:
        return (self.delay + TOLERANCE) * SPEAK_RATE

    def _check_words(self, answer: Answer, said: str, cut_at: float | None) -> None:
        if cut_at is None:
            assert said == "".join(answer.texts)
            return
        words = said.split()
        assert words == [word.text for word in answer.words[: len(words)]]
        least = answer.num_heard(cut_at - self._slack)
        assert least <= len(words) <= answer.num_heard(cut_at + self._slack), "not what was heard"

    def _check_context(self, now: float, context: actions.Context) -> None:
        """What a model is told of the past is what the user has heard of it."""
        told = Counter(entry.key.split("/")[0] for entry in context)
        texts = {
            entry.key.split("/")[0]: entry.content.text
            for entry in context
            if isinstance(entry.content, AssistantText)
        }
        for item_id in self.committed:
            assert told[item_id] == (item_id not in self.deleted), "a turn of the user is missing"
        for item_id, answer in self.by_item.items():
            if answer.out_of_band:
                assert item_id not in told
            elif item_id in self.deleted:
                assert item_id not in texts
            else:
                self._check_told(now, answer, texts.get(item_id, ""))

    def _check_told(self, now: float, answer: Answer, text: str) -> None:
        if answer.number in self.unclear and not text:
            return
        early = self.overlapped_early.get(self.open_segment or 0) == answer.number
        early = early and answer.number not in self.unclear
        if answer.end is None:
            if not early:
                self._check_words(answer, text, answer.played(now, self.delay))
            else:
                assert not text, "the user goes on: nobody has said anything between"
        elif answer.is_dropped and answer.number not in self.unclear:
            assert not text, "what the user talked over at once nobody has said"
        else:
            self._check_words(answer, text, answer.cut_at)

    def check_end(self) -> None:
        """Nothing is left open."""
        assert not self.live, "an answer without an end"
        assert set(self.segments.values()) <= {"decided"}, "a segment without a decision"
        assert not self.speech, "speech that never stops"
