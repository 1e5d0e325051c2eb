"""A conversation that one session leaves behind and another goes on with."""

from __future__ import annotations

import io

from duplex import actions, events
from duplex.conversation import SpokenTurn, Turn
from duplex.session import Session, Snapshot
from duplex.trace import Record, TraceWriter, from_json, to_json
from models.base import AnswerOptions, AssistantText, SpokenWord, UserText

WORDS = tuple(SpokenWord(word, n * 6000, (n + 1) * 6000) for n, word in enumerate("abcdefgh"))


def talking() -> Session:
    """A session whose answer, two seconds long, has begun to leave at second 1."""
    session = Session("t")
    session.handle(events.ItemOffered("asked", "user", (UserText("Well?"),)), 0.5)
    request = events.ResponseRequested(AnswerOptions())
    (started,) = (
        action
        for action in session.handle(request, 1.0)
        if isinstance(action, actions.ResponseStarted)
    )
    number = started.response_id
    session.handle(events.AnswerTextMade(number, "a b c d e f g h"), 1.0)
    session.handle(events.AnswerSoundMade(number, 48_000, WORDS), 1.0)
    return session


def left_behind(session: Session) -> Snapshot:
    return session.snapshot(2.0, lambda _: None)


def advance(session: Session, until: float) -> None:
    now = 1.0
    while now < until:
        now += 0.02
        session.handle_timer(now)


def test_an_answer_that_plays_is_cut_where_it_was_heard() -> None:
    session = talking()
    advance(session, 2.0)
    snapshot = left_behind(session)
    asked, answer = snapshot.resumed.turns
    assert asked.item_id == "asked"
    assert answer.item_id == snapshot.cut
    assert answer.wire["status"] == "incomplete"
    assert answer.heard_text() in ("a b c d", "a b c")
    before = session.conversation.turns[1]
    assert before.heard is None and before.wire["status"] == "in_progress"  # a copy was cut


def test_what_was_left_behind_is_what_the_models_are_told() -> None:
    session = talking()
    advance(session, 2.0)
    turns = left_behind(session).resumed.turns
    other = Session("u")
    found = other.handle(events.ConversationResumed(turns, 1), 0.0)
    (told,) = (action for action in found if isinstance(action, actions.SyncMonitor))
    contents = [entry.content for entry in told.context]
    assert contents == [UserText("Well?"), AssistantText(turns[1].heard_text(), cut=True)]
    started = next(
        action
        for action in other.handle(events.ResponseRequested(AnswerOptions()), 1.0)
        if isinstance(action, actions.ResponseStarted)
    )
    assert started.response_id == 2  # the number of no answer that there was
    assert started.item_id not in {turn.item_id for turn in turns}


def test_an_item_of_the_past_can_be_cut_further() -> None:
    session = talking()
    advance(session, 2.0)
    turns = left_behind(session).resumed.turns
    other = Session("u")
    other.handle(events.ConversationResumed(turns, 1), 0.0)
    other.handle(events.ItemTruncateRequested(turns[1].item_id, 0, 400), 0.1)
    assert other.conversation.find(turns[1].item_id).heard_text() == "a b"
    assert turns[1].heard_text() != "a b"  # what was handed over stays as it was


def test_a_turn_without_an_answer_is_named() -> None:
    session = Session("t")
    session.conversation.add_sound("spoken", "well")
    assert left_behind(session).unanswered == "spoken"
    session.conversation.add(Turn("said", "assistant", response_id=1))
    assert left_behind(session).unanswered is None


def test_a_trace_holds_what_a_session_began_with() -> None:
    parts = (SpokenTurn("spoken", "well"),)
    turn = Turn("spoken", "user", parts, {"type": "message", "content": []}, words=WORDS)
    record = Record(0.0, "event", events.ConversationResumed((turn,), 3))
    assert from_json(to_json(record)) == record
    file = io.StringIO()
    TraceWriter(file).record(record)
    assert "well" not in file.getvalue()
