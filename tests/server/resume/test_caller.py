"""`antiphon call` goes on after its connection was lost, and loses nothing of what was said."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from server.call.caller import Caller
from server.call.conversation import CallFailed, CallMachine
from server.call.resuming import ResumeTicket
from server.call.script import CallScript, Cue
from server.call.timeline import TimelineClip
from server.config import ResumeSettings
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import KEY, House, noise, silence

QUESTION = TimelineClip.of("question", np.concatenate([noise(0.6), silence(0.1)]))
ANSWERS = EngineScript(answers=[ScriptedAnswer("one two", word_seconds=0.2)])
TWICE = CallScript(cues=(Cue(QUESTION, at=0.2), Cue(QUESTION)), settle=0.3, patience=6.0)


def transcripts(call: CallMachine) -> list[str]:
    kind = "response.output_audio_transcript.done"
    return [one.event["transcript"] for one in call.happenings if one.event["type"] == kind]


@pytest.mark.parametrize("moment", ["while speaking", "between turns", "in the answer"])
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
    assert back - lost < 3
    said = transcripts(caller.call)
    assert len(said) >= (2 if moment == "between turns" else 1)
    created = [o.event for o in caller.call.happenings if o.event["type"] == "session.created"]
    assert created[-1]["session"]["antiphon"]["resumed"] is not None


def has_come(caller: Caller, kind: str) -> bool:
    return any(one.event["type"] == kind for one in caller.call.happenings)


async def cut_once(caller: Caller, moment: str) -> None:
    """Break the connection once the call has come so far."""
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
