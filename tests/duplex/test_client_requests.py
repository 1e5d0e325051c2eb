"""What a client asks a whole session for: typed turns, answers out of band, calls, commits."""

from __future__ import annotations

from dataclasses import replace

from duplex import actions, events
from duplex.endpointing import Settings, TurnDetection
from duplex.playout import AnswerSound
from models.base import (
    AnswerOptions,
    FunctionCall,
    UserText,
)
from tests.duplex.call import SHORT, TEN, calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import ScriptedAnswer


def test_text_in_and_text_out_without_any_sound() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            item = {"type": "message", "role": "user", "content": []}
            call.orchestrator.handle(events.ItemOffered("i1", "user", (UserText("hello"),), item))
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions(speak=False)))
            await call.pause(1.0)
            assert call.all(actions.ResponseEnded)[0].text == TEN
            assert not call.all(AnswerSound)
            generator = next(i for i in call.instances if "answer" in i.streams[0].record.names())
            assert UserText("hello") in generator.streams[0].memory.items

    run_virtual(main())


def test_an_answer_out_of_band_leaves_no_trace_in_it() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            call.orchestrator.handle(
                events.ResponseRequested(
                    AnswerOptions(), items=(UserText("classify"),), in_conversation=False
                )
            )
            await call.pause(1.0)
            assert call.all(actions.ResponseEnded)[0].text == TEN
            assert not call.orchestrator.session.conversation.turns

    run_virtual(main())


def test_a_function_call_enters_the_conversation() -> None:
    async def main() -> None:
        call_it = ScriptedAnswer("", call=FunctionCall("get_time", "{}"))
        async with calling(replace(SHORT, answers=[call_it] * 2)) as call:
            await call.speak(1.0)
            await call.pause(1.0)
            made = call.all(actions.ResponseCallAdded)[0]
            assert (made.name, made.arguments) == ("get_time", "{}")
            kinds = [turn.wire["type"] for turn in call.orchestrator.session.conversation.turns]
            assert kinds == ["message", "function_call"]
            assert call.reasons() == ["answered"]

    run_virtual(main())


def test_the_client_commits_by_hand() -> None:
    async def main() -> None:
        manual = Settings(turn_detection=TurnDetection.MANUAL)
        async with calling(SHORT, settings=manual) as call:
            await call.speak(1.0)
            call.orchestrator.handle(events.CommitRequested())
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(3.0)
            assert len(call.all(actions.ResponseStarted)) == 1
            assert call.all(AnswerSound)

    run_virtual(main())


def test_an_answer_to_nothing_is_one_to_a_greeting_and_leaves_no_item() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions()))
            await call.pause(1.0)
            call.orchestrator.handle(events.ResponseRequested(AnswerOptions(), items=()))
            await call.pause(5.0)
            streams = [stream for one in call.instances for stream in one.streams]
            read = [item for stream in streams for item in stream.record.values("read")]
            assert UserText("hello") in read
            opened = [item for stream in streams for item in stream.record.conversation.items]
            assert UserText("hello") in opened + read
            turns = call.orchestrator.session.conversation.turns
            assert [turn.role for turn in turns] == ["assistant"]

    run_virtual(main())
