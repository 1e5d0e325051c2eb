"""A trace is the session: read back, it is what happened, and the core decides the same again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import orjson
import pytest

from duplex import actions, events
from duplex.conversation import ContextEntry
from duplex.endpointing import Settings, TurnDetection
from duplex.session import Session
from duplex.trace import (
    Measured,
    Payload,
    Record,
    TraceWriter,
    from_json,
    read_trace,
    to_json,
)
from models.base import (
    AnswerOptions,
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    SpokenWord,
    Tool,
    UserImage,
    UserSound,
    UserText,
    Verdict,
)
from tests.duplex.call import calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer

TEN = "one two three four five six seven eight nine ten"


def record_a_call(path: Path, *, words: bool) -> None:
    async def main() -> None:
        writer = TraceWriter(path.open("w", encoding="utf-8"), words=words)
        script = EngineScript(verdict=lambda _: QUERY, answers=[ScriptedAnswer(TEN)] * 3)
        async with calling(script, observers=(writer,)) as call:
            await call.speak(1.0)
            await call.pause(1.5)
            await call.speak(1.0)
            await call.pause(3.0)
        writer.close()

    run_virtual(main())


def test_a_recorded_session_decides_the_same_again(tmp_path: Path) -> None:
    record_a_call(tmp_path / "t.jsonl", words=True)
    session = Session("t")
    expected: list[object] = []
    decided: list[object] = []
    for record in read_trace(tmp_path / "t.jsonl"):
        if isinstance(record.payload, events.Event):
            decided += session.handle(record.payload, record.now)
        elif record.direction == "timer":
            decided += session.handle_timer(record.now)
        elif record.direction == "action":
            expected.append(record.payload)
    assert len(expected) > 100
    assert decided == expected


def test_words_are_blanked_unless_the_operator_wants_them(tmp_path: Path) -> None:
    record_a_call(tmp_path / "t.jsonl", words=False)
    text = (tmp_path / "t.jsonl").read_text(encoding="utf-8")
    assert "seven" not in text
    assert "*****" in text


@pytest.mark.parametrize(
    "line", ["{}", '{"now": 1, "direction": "event", "type": "Nothing"}', "no json"]
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"now": 0.5, "direction": "timer"}\n' + line + "\n")
    records = read_trace(path)
    assert next(records) == Record(0.5, "timer")
    with pytest.raises(ValueError, match=r"t\.jsonl:2"):
        next(records)


EXAMPLES: list[object] = [
    events.ItemOffered(
        "i",
        "user",
        (
            UserText("hi"),
            UserImage(np.zeros((0, 0, 3), np.uint8), "low"),
            UserSound(None, None, "w"),
            AssistantText("a", cut=True),
            FunctionCall("f", "{}"),
            FunctionOutput("c", "o"),
            Instructions("be brief"),
        ),
        {"content": [{"text": "hi"}]},
    ),
    events.SettingsChanged(Settings(turn_detection=TurnDetection.SERVER, endpoint_delay=0.1)),
    events.AnswerSoundMade(1, 480, (SpokenWord("w", 0, 480, True),)),
    events.ResponseRequested(AnswerOptions(tools=(Tool("t", "", {"a": 1}),)), (UserText("x"),)),
    actions.BeginHearing(1, 0.5, (ContextEntry("i/0", UserText("hi")),)),
    actions.ReplaceMonitor(1, actions.BeginHearing(1, 0.5)),
    actions.StartAnswer(1, AnswerOptions(), items=(AssistantText("a"),), out_of_band=True),
    actions.Decide(1, actions.Reason.ECHO, 0.0, 1.0, Verdict(0.5, 0.5, words="w")),
    Measured("hear_rtf", 0.1),
]


@pytest.mark.parametrize("payload", EXAMPLES, ids=lambda payload: type(payload).__name__)
def test_what_was_written_is_read_as_it_was(payload: Payload) -> None:
    line = orjson.dumps(to_json(Record(1.0, "event", payload)))
    back = from_json(orjson.loads(line)).payload
    assert type(back) is type(payload)
    assert repr(back).replace("OutdatedPicture()", "UserText(text='hi')") == repr(payload)


def test_every_event_and_action_can_be_written() -> None:
    """A union that forgets one would lose its records."""
    for module in (events, actions):
        for name, kind in vars(module).items():
            is_own = isinstance(kind, type) and kind.__module__ == module.__name__
            if is_own and dataclasses.is_dataclass(kind):
                assert name in {one.__name__ for one in get_args(Payload)}


def test_a_field_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"now": 1, "direction": "event", "type": "AnswerFinished"}\n')
    with pytest.raises(
        ValueError, match=r"t\.jsonl:1: AnswerFinished\.response_id: Field required"
    ):
        list(read_trace(path))
