"""An answer is made as it is played: a few seconds ahead, whatever its length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from duplex import actions, events
from duplex.playout import MADE_AHEAD
from models.base import SPEAK_RATE, AnswerOptions, AssistantText, UserText
from tests.duplex.call import Call, Recorder, calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer

STORY = ScriptedAnswer(" ".join(str(number) for number in range(40)))  # of 12 s
CHUNK = round(STORY.chunk_seconds * SPEAK_RATE)
TELLING = EngineScript(verdict=lambda _: QUERY, answers=[STORY] * 9)


def backlogs(recorder: Recorder) -> list[int]:
    """Samples made that have not left, after each piece that was made."""
    made = sent = 0
    found = []
    for record in recorder.records:
        if isinstance(record.payload, events.AnswerSoundMade):
            made += record.payload.samples
            found.append(made - sent)
        elif isinstance(record.payload, actions.SendAudio):
            sent += record.payload.count
    return found


@pytest.mark.parametrize("reports", [False, True], ids=["no reports", "a player that hangs"])
def test_a_story_is_made_a_few_seconds_ahead_and_leaves_without_a_gap(reports: bool) -> None:
    async def main() -> None:
        recorder = Recorder()
        async with calling(TELLING, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(2.0)
            if reports:
                call.orchestrator.handle(events.PlayoutReported(1, 100))
            await call.pause(13.0)
            assert call.reasons() == ["answered"]
            assert np.array_equal(call.sound(1), STORY.sound())
            times = [r.now for r in recorder.records if isinstance(r.payload, actions.SendAudio)]
            assert max(np.diff(times)) < 0.021
            assert MADE_AHEAD <= max(backlogs(recorder)) < MADE_AHEAD + CHUNK

    run_virtual(main())


def test_an_interruption_of_a_resting_answer_is_immediate_and_wastes_little() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with calling(TELLING, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(6.0)
            await call.speak(1.0)
            await call.pause(1.0)
            first = call.all(actions.ResponseEnded)[0]
            assert first.reason == "turn_detected"
            made = sum(
                r.payload.samples
                for r in recorder.records
                if isinstance(r.payload, events.AnswerSoundMade) and r.payload.response_id == 1
            )
            assert made - first.samples <= MADE_AHEAD + CHUNK
            stopped = [s for i in call.instances for s in i.streams if s.record.values("stopped")]
            assert stopped
            assert not any(i.streams[1:] for i in call.instances)  # nobody was taken for stuck

    run_virtual(main())


def test_a_rest_longer_than_the_patience_is_no_stalled_answer() -> None:
    """A synthesizer gives a whole sentence of 15 s at once, and is then not asked for long."""

    async def main() -> None:
        sentences = [replace(STORY, word_seconds=0.4, chunk_seconds=15.0, chunk_delay=0.5)]
        async with calling(replace(TELLING, answers=sentences)) as call:
            await call.speak(1.0)
            await call.pause(18.0)
            assert call.all(actions.ResponseEnded)[0].status is actions.ResponseStatus.COMPLETED
            assert np.array_equal(call.sound(1), sentences[0].sound())

    run_virtual(main())


def test_a_model_that_hangs_in_the_middle_still_fails_visibly() -> None:
    async def main() -> None:
        hanging = [replace(STORY, chunk_seconds=5.0, chunk_delay=60.0)]
        async with calling(replace(TELLING, answers=hanging)) as call:
            await call.speak(1.0)
            await call.pause(17.0)
            assert call.all(actions.ResponseEnded)[0].status is actions.ResponseStatus.FAILED

    run_virtual(main())


async def ask(call: Call, event: events.ResponseRequested) -> actions.ResponseEnded:
    item = {"type": "message", "role": "user", "content": []}
    call.orchestrator.handle(events.ItemOffered("i", "user", (UserText("tell"),), item))
    call.orchestrator.handle(event)
    await call.pause(0.2)
    return call.all(actions.ResponseEnded)[0]


@pytest.mark.parametrize(
    "event",
    [
        events.ResponseRequested(AnswerOptions(speak=False)),
        events.ResponseRequested(AnswerOptions(), in_conversation=False),
    ],
    ids=["in text", "out of band"],
)
def test_what_nobody_listens_to_is_made_at_once(event: events.ResponseRequested) -> None:
    async def main() -> None:
        async with calling(TELLING) as call:
            assert (await ask(call, event)).text == STORY.text

    run_virtual(main())


def test_both_instances_know_a_story_that_was_heard_to_its_end() -> None:
    async def main() -> None:
        async with calling(TELLING) as call:
            await call.speak(1.0)
            await call.pause(14.0)
            for instance in call.instances:
                items = instance.streams[0].memory.items
                told = [item.text for item in items if isinstance(item, AssistantText)]
                assert told == [STORY.text]

    run_virtual(main())
