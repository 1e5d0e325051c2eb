"""What the shell promises in passing: what it gives back, goes on with, and lets nobody tell."""

from __future__ import annotations

import asyncio

import numpy as np

from duplex import events
from duplex.conversation import SpokenTurn, Turn
from duplex.session import Snapshot
from models.base import AnswerOptions, UserSound, UserText, Verdict
from tests.duplex.call import SHORT, Recorder, calling
from tests.duplex.scene import QUERY
from tests.duplex.virtual import run_virtual
from tests.engine_script import EngineScript, ScriptedAnswer, ScriptedSegment


def test_a_written_answer_makes_no_record_of_sound() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with calling(SHORT, observers=(recorder,)) as call:
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions(speak=False)))
            await call.pause(1.0)
        payloads = [record.payload for record in recorder.records]
        assert any(isinstance(payload, events.AnswerTextMade) for payload in payloads)
        assert not any(isinstance(payload, events.AnswerSoundMade) for payload in payloads)

    run_virtual(main())


def test_a_session_that_is_over_has_given_everything_back() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            await call.speak(1.0)
            await call.pause(3.0)
            items = [turn.item_id for turn in call.orchestrator.session.conversation.turns]
        assert items
        call.orchestrator.release()
        assert call.orchestrator.session.conversation.turns == []
        assert all(call.orchestrator.sound_of(item) is None for item in items)
        assert call.pool.num_sessions == 0

    run_virtual(main())


def test_the_level_says_when_voice_ended() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with calling(SHORT, observers=(recorder,)) as call:
            await call.pause(0.5)
            await call.speak(0.6)
            await call.pause(0.12)
        windows = [record.payload for record in recorder.records]
        measured = [one for one in windows if isinstance(one, events.VoiceMeasured)]
        amid = [one for one in measured if 0.6 < one.end < 1.05]
        assert amid and all(one.end - (one.sounded_until or 0.0) < 0.03 for one in amid)
        assert abs((measured[-1].sounded_until or 0.0) - 1.1) < 0.03

    run_virtual(main())


def test_where_sound_stops_coming_the_monitor_hears_silence() -> None:
    heard: list[ScriptedSegment] = []

    def verdict(segment: ScriptedSegment) -> Verdict:
        heard.append(segment)
        return QUERY

    async def main() -> None:
        async with calling(EngineScript(verdict=verdict, answers=[ScriptedAnswer("Yes.")])) as call:
            await call.speak(1.0)
            await asyncio.sleep(1.5)  # nothing comes any more

    run_virtual(main())
    quiet = [len(one.samples) - np.flatnonzero(one.samples)[-1] for one in heard]
    assert max(quiet) > 1000  # more than 60 ms of silence


def test_a_session_goes_on_with_what_another_has_left_behind() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            spoken = Turn("spoken", "user", (SpokenTurn("spoken", "hi"),), {"type": "message"})
            sound = np.full(1600, 0.1, np.float32)
            left = Snapshot(events.ConversationResumed((spoken,), 3), {"spoken": sound})
            call.orchestrator.resume(left)
            await call.pause(0.2)
            again = call.orchestrator.snapshot()
            assert [turn.item_id for turn in again.resumed.turns] == ["spoken"]
            assert (again.resumed.num_responses, again.unanswered) == (3, "spoken")
            np.testing.assert_array_equal(again.sounds["spoken"], sound)
            known = [stream.memory.items for one in call.instances for stream in one.streams]
            assert any(isinstance(item, UserSound) for items in known for item in items)

    run_virtual(main())


def test_the_stream_of_an_answer_out_of_band_goes_with_it() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            asked = events.ResponseRequested(
                AnswerOptions(speak=False), items=(UserText("hi"),), in_conversation=False
            )
            call.orchestrator.handle(asked)
            await call.pause(1.0)
            (apart,) = (
                stream
                for one in call.instances
                for stream in one.streams
                if stream.record.values("answer")
            )
            assert apart.closed
            assert all(
                not s.closed for one in call.instances for s in one.streams if s is not apart
            )

    run_virtual(main())


def test_nothing_counts_of_a_monitor_that_was_left_behind() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            await call.speak(0.5)
            roles, responses = call.orchestrator._roles, call.orchestrator._responses
            old = roles.monitor
            verdict = events.VerdictGiven(1, QUERY, 0.5)
            assert responses.admit(old, verdict)
            roles.replace_monitor()
            assert roles.monitor is not old
            assert not responses.admit(old, verdict)
            assert responses.admit(roles.monitor, verdict)

    run_virtual(main())
