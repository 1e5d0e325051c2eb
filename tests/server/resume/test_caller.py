"""`antiphon call` goes on after its connection was lost, and loses nothing of what was said."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from server.call.caller import Caller
from server.call.conversation import CallFailed, CallMachine
from server.call.resuming import LOOK_BACK, MOST_AGAIN, LatestTurn, ResumeTicket
from server.call.script import CallScript, Cue
from server.call.timeline import TimelineClip
from server.config import ResumeSettings
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import KEY, House, noise, silence

QUESTION = TimelineClip.of("question", np.concatenate([noise(0.6), silence(0.1)]))
ANSWERS = EngineScript(answers=[ScriptedAnswer("one two", word_seconds=0.2)])
TWICE = CallScript(cues=(Cue(QUESTION, at=1.0), Cue(QUESTION)), settle=0.3, patience=30.0)


def transcripts(call: CallMachine) -> list[str]:
    kind = "response.output_audio_transcript.done"
    return [one.event["transcript"] for one in call.happenings if one.event["type"] == kind]


@pytest.mark.parametrize(
    "moment", ["as a voice begins", "while speaking", "between turns", "in the answer"]
)
async def test_a_lost_connection_loses_no_turn(moment: str) -> None:
    async with House(ANSWERS, resume=ResumeSettings(store="memory")) as house:
        caller = Caller(f"ws://{house.host}/v1/realtime", TWICE, key=KEY, resumes=True)
        async with caller:
            cut = asyncio.create_task(cut_once(caller, moment))
            await caller.run()
            await cut
        await house.until_empty()
    assert len(caller.gaps) == 1
    lost, back = caller.gaps[0]
    assert back - lost < 10
    # Both questions are answered; of the answer that was cut the rest is missing.
    assert len(transcripts(caller.call)) >= (1 if moment == "in the answer" else 2)
    created = [o.event for o in caller.call.happenings if o.event["type"] == "session.created"]
    assert created[-1]["session"]["antiphon"]["resumed"] is not None


def has_come(caller: Caller, kind: str) -> bool:
    return any(one.event["type"] == kind for one in caller.call.happenings)


async def cut_once(caller: Caller, moment: str) -> None:
    """Break the connection once the call has come so far."""
    if moment == "as a voice begins":  # before the server can be sure of it
        assert caller._connection is not None
        async with asyncio.timeout(10):
            while len(caller.call._sent) < 52:  # noqa: ASYNC110  a caller tells when asked
                await asyncio.sleep(0.005)
        caller._connection.transport.abort()
        return
    wanted = {
        "while speaking": "input_audio_buffer.speech_started",
        "in the answer": "response.output_audio_transcript.delta",
        "between turns": "response.done",
    }[moment]
    async with asyncio.timeout(10):
        while not has_come(caller, wanted):  # noqa: ASYNC110  a caller tells when asked
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)  # written behind the call
    assert caller._connection is not None
    caller._connection.transport.abort()


async def test_a_server_that_keeps_nothing_ends_the_call() -> None:
    async with House(ANSWERS) as house:
        caller = Caller(f"ws://{house.host}/v1/realtime", TWICE, key=KEY, resumes=True)
        async with caller:
            cut = asyncio.create_task(cut_once(caller, "between turns"))
            with pytest.raises(CallFailed, match="hung up"):
                await caller.run()
            await cut


def test_the_newest_token_counts_and_tries_end_with_it() -> None:
    ticket = ResumeTicket()
    assert sum(ticket.waits()) < 0.1
    session = {"antiphon": {"resume_token": "one.a", "resume_seconds": 5}}
    ticket.follow({"type": "session.updated", "session": session})
    ticket.follow({"type": "session.updated", "session": {"antiphon": {}}})
    assert ticket.headers == {"X-Antiphon-Resume": "one.a"}
    ticket.follow({"type": "error", "error": {"code": "session_draining", "resume_token": "one.b"}})
    assert ticket.token == "one.b"
    waits = list(ticket.waits())
    assert waits[0] == 0 and 4 <= sum(waits) <= 7 and max(waits) <= 1


def spoken(item: str, start: int, end: int | None = None, *, commit: bool = False) -> LatestTurn:
    """What the server has told of one turn; times in milliseconds."""
    turn = LatestTurn()
    kind = "input_audio_buffer"
    turn.follow({"type": f"{kind}.speech_started", "item_id": item, "audio_start_ms": start})
    if end is not None:
        turn.follow({"type": f"{kind}.speech_stopped", "item_id": item, "audio_end_ms": end})
    if commit:
        turn.follow({"type": f"{kind}.committed", "item_id": item})
    return turn


@pytest.mark.parametrize(
    ("turn", "known", "expected"),
    [
        (LatestTurn(), [], 20.0 - LOOK_BACK),  # a voice may have begun unnoticed
        (spoken("a", 18_000), [], 17.7),  # in the middle of a turn
        (spoken("a", 17_000, 19_000), [], 16.7),  # not committed yet
        (spoken("a", 17_000, 19_000, commit=True), [], 16.7),  # committed, and not kept
        (spoken("a", 17_000, 19_500, commit=True), ["a"], 19.5),  # kept
        (spoken("a", 12_000, 14_000, commit=True), ["a"], 20.0 - LOOK_BACK),
        (spoken("a", 2_000), [], 20.0 - MOST_AGAIN),  # more than a server catches up with
    ],
)
def test_what_is_said_again(turn: LatestTurn, known: list[str], expected: float) -> None:
    assert turn.again_from(known, sent=20.0) == pytest.approx(expected)
