"""Each limit on its very edge, in the figures that the documents promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest

from duplex import actions, events
from duplex.barge_in import Interruption, judge_overlap, name_ignored
from duplex.conversation import History, SpokenTurn, Turn, join_words
from duplex.core import SessionState
from duplex.endpointing import (
    Eagerness,
    Endpoint,
    PauseHabit,
    Settings,
    TurnDetection,
    is_noise,
    judge_pause,
    may_interrupt,
    may_speculate,
    thresholds_for,
)
from duplex.playout import AudioStore
from duplex.session import Session
from duplex.trace import Measured, Record, TraceWriter, from_json, to_json
from duplex.voice_activity import Edge, VoiceTracker
from models.base import AnswerOptions, SpokenWord, UserSound, Verdict
from tests.duplex.scene import NOISE, QUERY, UNFINISHED, WINDOW, Scene

USUAL = thresholds_for(Settings())


def verdict(query: float, noise: float = 0.0, unfinished: float = 0.0) -> Verdict:
    return Verdict(query=query, noise=noise, unfinished=unfinished)


# ------------------------------------------------------------------------------ what is judged


@pytest.mark.parametrize(
    ("said", "voiced", "is_paused", "outcome"),
    [
        (verdict(0.5, 0.2, 0.3), 0.3, False, Interruption.INTERRUPT),
        (verdict(0.3, 0.2, 0.5), 0.3, False, Interruption.INTERRUPT),  # unfinished counts as much
        (verdict(0.8, 0.2), 0.29, False, Interruption.WAIT),
        (verdict(0.8, 0.2), 0.0, True, Interruption.INTERRUPT),
        (verdict(0.79, 0.21), 0.3, False, Interruption.WAIT),
        (verdict(0.79, 0.21), 0.3, True, Interruption.RESUME),
        (verdict(0.9, 0.1), 0.15, False, Interruption.INTERRUPT),
        (verdict(0.9, 0.1), 0.14, False, Interruption.WAIT),
        (verdict(0.5, 0.5), 0.3, False, Interruption.RESUME),
        (verdict(0.5, 0.5), 0.29, False, Interruption.WAIT),
        (verdict(0.51, 0.49), 0.3, False, Interruption.WAIT),
    ],
)
def test_over_an_answer(
    said: Verdict, voiced: float, is_paused: bool, outcome: Interruption
) -> None:
    assert judge_overlap(said, voiced, is_paused, USUAL) is outcome


@pytest.mark.parametrize(
    ("said", "silence", "outcome"),
    [
        (verdict(0.6), 0.16, Endpoint.COMMIT),
        (verdict(0.6), 0.159, Endpoint.WAIT),
        (verdict(0.5), 0.23, Endpoint.COMMIT),  # not sure: 70 ms more
        (verdict(0.5), 0.229, Endpoint.WAIT),
        (verdict(0.79), 0.48, Endpoint.COMMIT),
        (verdict(0.79), 0.481, Endpoint.WAIT),  # silence itself makes a query of it
        (verdict(0.79), 4.0, Endpoint.COMMIT),
        (verdict(0.8), 0.481, Endpoint.COMMIT),
        (verdict(0.499, 0.5), 0.5, Endpoint.IGNORE),
        (verdict(0.499, 0.5), 0.499, Endpoint.WAIT),
        (verdict(0.45, 0.44), 4.0, Endpoint.COMMIT),  # nearly a query
        (verdict(0.45, 0.45), 4.0, Endpoint.ABANDON),
        (verdict(0.449, 0.1), 4.0, Endpoint.ABANDON),
        (verdict(0.449, 0.1), 3.999, Endpoint.WAIT),
        (None, 2.0, Endpoint.FAIL),
        (None, 1.999, Endpoint.WAIT),
    ],
)
def test_in_a_pause(said: Verdict | None, silence: float, outcome: Endpoint) -> None:
    assert judge_pause(said, silence, USUAL).outcome is outcome


@pytest.mark.parametrize(
    ("voiced", "outcome"), [(0.064, Endpoint.COMMIT), (0.06, Endpoint.ABANDON)]
)
def test_a_click_is_shorter_than_64_ms(voiced: float, outcome: Endpoint) -> None:
    assert judge_pause(QUERY, 0.2, USUAL, voiced=voiced).outcome is outcome


@pytest.mark.parametrize(("query", "outcome"), [(0.8, Endpoint.COMMIT), (0.79, Endpoint.IGNORE)])
def test_what_may_end_the_answer_it_was_said_over(query: float, outcome: Endpoint) -> None:
    assert may_interrupt(verdict(query), USUAL) is (outcome is Endpoint.COMMIT)
    assert judge_pause(verdict(query), 0.5, USUAL, over_answer=True).outcome is outcome


@pytest.mark.parametrize(
    ("eagerness", "delay", "patience"),
    [
        (Eagerness.LOW, 0.48, 8.0),
        (Eagerness.MEDIUM, 0.16, 4.0),
        (Eagerness.AUTO, 0.16, 4.0),
        (Eagerness.HIGH, 0.096, 2.0),
    ],
)
def test_eagerness(eagerness: Eagerness, delay: float, patience: float) -> None:
    thresholds = thresholds_for(Settings(eagerness=eagerness))
    assert judge_pause(QUERY, 0.0, thresholds).due == delay
    assert judge_pause(UNFINISHED, 0.0, thresholds).due == patience


def test_what_may_be_prepared() -> None:
    assert may_speculate(verdict(0.6), 0.48, USUAL)
    assert not may_speculate(verdict(0.59), 0.1, USUAL)
    assert not may_speculate(verdict(0.79), 0.49, USUAL)
    assert may_speculate(verdict(0.8), 0.49, USUAL)
    assert is_noise(verdict(0.5, 0.5), USUAL) and not is_noise(verdict(0.5, 0.49), USUAL)
    assert not is_noise(None, USUAL)


def test_after_side_talk_four_fifths_are_needed() -> None:
    strict = thresholds_for(Settings(), after_side_talk=True)
    assert judge_pause(verdict(0.8), 0.2, strict).outcome is Endpoint.COMMIT
    assert judge_pause(verdict(0.79, 0.1), 4.0, strict).outcome is Endpoint.COMMIT
    assert judge_pause(verdict(0.71, 0.1), 4.0, strict).outcome is Endpoint.ABANDON


@pytest.mark.parametrize(
    ("words", "over_answer", "reason"),
    [
        ("", True, "ignored-noise"),
        ("yeah", True, "ignored-backchannel"),
        ("oh yes right", True, "ignored-backchannel"),
        ("oh yes yes right", True, "ignored-side-talk"),
        ("yeah Tom", True, "ignored-side-talk"),
        ("yeah", False, "ignored-side-talk"),
    ],
)
def test_what_an_ignored_sound_is_called(words: str, over_answer: bool, reason: str) -> None:
    assert name_ignored(replace(NOISE, words=words), over_answer).value == reason


def test_patience_in_figures() -> None:
    habit = PauseHabit()
    habit.note_pause(0.5, was_taken_for_end=True)
    assert habit.adapt(0.16) == pytest.approx(0.26)
    habit.note_cut_off()
    assert habit.adapt(0.16) == pytest.approx(0.46)
    habit.note_cut_off()
    assert habit.adapt(0.16) == pytest.approx(0.56)  # never more than 0.4 s later
    fluent = PauseHabit()
    for turns in range(1, 5):
        fluent.note_pause(0.159, was_taken_for_end=False)
        fluent.note_turn()
        assert fluent.adapt(0.16) == pytest.approx(0.13 if turns >= 3 else 0.16)
    fluent.note_pause(0.16, was_taken_for_end=False)
    fluent.note_turn()
    assert fluent.adapt(0.16) == 0.16


# --------------------------------------------------------------------------------- voice


def window(
    at: float, probability: float, *, echo: bool = False, until: float | None = None
) -> events.VoiceMeasured:
    return events.VoiceMeasured(at, at + WINDOW, probability, echo, until)


def test_voice_enters_at_the_threshold_and_leaves_below_it() -> None:
    tracker = VoiceTracker()
    assert tracker.measure(window(0.0, 0.499)) is Edge.QUIET
    assert tracker.measure(window(0.032, 0.5)) is Edge.ONSET
    assert tracker.measure(window(0.064, 0.35)) is Edge.VOICED
    assert tracker.last_voiced == pytest.approx(0.096)
    tracker.measure(window(0.096, 0.349))
    assert tracker.last_voiced == pytest.approx(0.096)


def test_a_closed_segment_leaves_nothing_of_its_voice() -> None:
    tracker = VoiceTracker()
    tracker.measure(window(0.0, 0.9))
    tracker.close()
    assert tracker.measure(window(0.032, 0.4)) is Edge.QUIET
    assert tracker.measure(window(0.064, 0.9)) is Edge.ONSET
    tracker.pause()
    assert tracker.measure(window(0.096, 0.4)) is Edge.QUIET
    assert tracker.measure(window(0.128, 0.9)) is Edge.RESUMED


def test_a_gap_of_80_ms_is_a_pause() -> None:
    tracker = VoiceTracker()
    tracker.measure(window(0.0, 0.9))
    assert tracker.measure(events.VoiceMeasured(0.032, 0.032 + 0.079, 0.0)) is Edge.VOICED
    assert tracker.measure(events.VoiceMeasured(0.111, 0.032 + 0.08, 0.0)) is Edge.PAUSED


def test_a_level_that_fell_80_ms_ago_has_ended_the_voice() -> None:
    tracker = VoiceTracker()
    tracker.measure(window(0.0, 0.9, until=0.032))
    tracker.measure(window(0.032, 0.9, until=0.064))
    still = events.VoiceMeasured(0.1, 0.064 + 0.0799, 0.9, False, 0.064)
    assert tracker.measure(still) is Edge.VOICED
    over = events.VoiceMeasured(0.1439, 0.064 + 0.08, 0.9, False, 0.064)
    assert tracker.measure(over) is Edge.PAUSED


def test_an_echo_is_over_after_300_ms_and_voice_ends_it_untold() -> None:
    tracker = VoiceTracker()
    tracker.measure(events.VoiceMeasured(0.0, 0.25, 0.9, True))
    assert tracker.finished_echo(0.549) is None
    assert tracker.finished_echo(0.55) == (0.0, 0.25)
    assert tracker.finished_echo(9.0) is None
    tracker.measure(window(1.0, 0.9, echo=True))
    tracker.measure(window(1.032, 0.9))
    assert tracker.finished_echo(9.0) is None


# ------------------------------------------------------------------------- words and turns


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["one", "two"], "one two"),
        ([" one", " two"], "one two"),
        (["你", "好"], "你好"),
        (["one", "你", "two"], "one你 two"),
        (["", "one"], "one"),
        (["one", " ", "two"], "one  two"),
    ],
)
def test_words_are_joined_as_their_script_does(words: list[str], text: str) -> None:
    assert join_words(SpokenWord(word, 0, 1) for word in words) == text


def test_a_transcript_of_what_is_gone_or_was_typed_changes_nothing() -> None:
    history = History()
    history.transcribe("gone", "words")
    history.add(Turn("empty", "user"))
    history.transcribe("empty", "words")
    assert history.find("empty").parts == ()
    history.add_sound("spoken", "")
    history.transcribe("spoken", "words")
    assert history.find("spoken").parts == (SpokenTurn("spoken", "words"),)


def test_a_session_that_is_over_knows_nothing_of_what_was_said() -> None:
    stage = Scene()
    stage.ask()
    stage.advance(4.0)
    history = stage.session.conversation
    (spoken, answer) = history.turns
    history.clear()
    assert history.turns == []
    assert spoken.item_id not in history and answer.item_id not in history
    assert history.answer_of(1) is None


def test_32_mib_and_64_items_of_sound_are_kept_the_newest_ones() -> None:
    store = AudioStore()
    samples = np.zeros(2**20, np.float32)  # 4 MiB
    for number in range(9):
        store.keep_samples(f"item{number}", samples)
    assert store.samples("item0") is None
    assert all(store.samples(f"item{number}") is not None for number in range(1, 9))
    few = AudioStore()
    for number in range(65):
        few.keep_samples(f"item{number}", np.zeros(1, np.float32))
    assert few.samples("item0") is None and few.samples("item1") is not None
    few.clear()
    assert few.samples("item64") is None
    few.keep_samples("one", samples)
    few.forget("one")
    assert few.resolve(SpokenTurn("one", "w")) == UserSound(None, None, "w")
    few.keep_embedded("two", np.ones((3, 1), np.float32))
    found = few.resolve(SpokenTurn("two"))
    assert isinstance(found, UserSound) and found.embedded is not None


# -------------------------------------------------------------------------------- the trace


def test_times_in_a_trace_are_exact_to_a_microsecond() -> None:
    assert to_json(Record(1.23456789, "timer"))["now"] == 1.234568
    assert to_json(Record(1.23456789, "timer")) == {"now": 1.234568, "direction": "timer"}


def test_the_format_is_named_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("trace") / "t.jsonl"
    writer = TraceWriter(path.open("w", encoding="utf-8"))
    for now in (0.0, 1.0):
        writer.record(Record(now, "note", Measured("hear_rtf", 0.5)))
    writer.close()
    kinds = [orjson.loads(line)["type"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["TraceFormat", "Measured", "Measured"]


def test_older_records_mean_what_they_meant() -> None:
    """Fields that have come since are what the server did before it had them."""
    ended = {"now": 1.0, "direction": "action", "type": "EndHearing", "segment": 1, "until": 2.0}
    assert from_json(ended).payload == actions.EndHearing(1, 2.0, None, 0.0)
    flushed = {**ended, "type": "FlushHearing"}
    assert from_json(flushed).payload == actions.FlushHearing(1, 2.0, 0.0)
    settings = {"turn_detection": "server_vad"}
    changed = {"now": 1.0, "direction": "event", "type": "SettingsChanged", "settings": settings}
    found = from_json(changed).payload
    assert isinstance(found, events.SettingsChanged)
    assert found.settings.turn_detection is TurnDetection.SERVER
    assert found.settings.audio_gap == 0.0 and found.settings.transcript_ahead
    made = {"now": 1.0, "direction": "event", "type": "AnswerTextMade", "response_id": 1}
    assert from_json({**made, "text": "t"}).payload == events.AnswerTextMade(1, "t", 0, 0)


# ------------------------------------------------------------------- what nobody has asked for


def test_a_session_that_was_told_nothing_takes_turns_as_the_protocol_page_says() -> None:
    session = Session("t")
    assert isinstance(session.state, SessionState)
    usual = session.state.settings
    assert usual == Settings()
    assert (usual.turn_detection, usual.eagerness) == (TurnDetection.SEMANTIC, Eagerness.AUTO)
    assert usual.create_response and usual.interrupt_response and usual.speculate
    assert (usual.threshold, usual.prefix_padding, usual.silence_duration) == (0.5, 0.3, 0.5)
    assert (usual.lead, usual.audio_gap) == (0.08, 0.6)
    assert not usual.strict_truncate and not usual.transcript_ahead
    assert usual.idle_timeout is None and usual.endpoint_delay is None
    assert usual.answer == AnswerOptions()


def test_server_vad_begins_300_ms_before_the_voice_and_semantic_330() -> None:
    for detection, padding in ((TurnDetection.SERVER, 0.3), (TurnDetection.SEMANTIC, 0.33)):
        stage = Scene(Settings(turn_detection=detection))
        stage.hear(2.0, False)
        onset = stage.audio
        stage.hear(0.5, True)
        assert onset - stage.one(actions.BeginHearing).start == pytest.approx(padding)
        assert onset - stage.one(actions.SpeechStarted).at == pytest.approx(padding)
