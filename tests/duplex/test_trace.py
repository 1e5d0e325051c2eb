"""A trace is the session: read back, it is what happened, and the core decides the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from duplex.session import Session
from duplex.trace import Record, TraceWriter, read_trace
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
        if record.direction == "event":
            decided += session.handle(record.payload, record.now)
        elif record.direction == "timer":
            decided += session.handle_timer(record.now)
        elif record.direction == "action":
            expected.append(record.payload)
    assert len(expected) > 100
    assert decided == expected


def test_words_are_blanked_unless_the_operator_wants_them(tmp_path: Path) -> None:
    record_a_call(tmp_path / "t.jsonl", words=False)
    text = (tmp_path / "t.jsonl").read_text()
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
