"""The shell in virtual time: real partners on scripted instances."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from duplex import actions, events
from duplex.endpointing import SLOW_FLUSH_EVERY_S, Settings
from duplex.orchestrator import InputOverrun
from duplex.playout import AnswerSound
from duplex.trace import Measured
from models.base import (
    HEAR_AHEAD,
    HEAR_CHUNK,
    HEAR_RATE,
    AssistantText,
    UserSound,
)
from models.capabilities import Capabilities
from tests.duplex.call import LONG, QUERIES, SHORT, TEN, Recorder, calling, calling_on
from tests.duplex.virtual import run_virtual
from tests.engine_script import NOISE, QUERY, UNFINISHED, EngineScript, ScriptedAnswer, timed
from tests.scripted_engine import ScriptedInstance


def test_a_question_is_answered_in_sound_and_the_roles_swap() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            await call.pause(0.3)
            await call.speak(1.0)
            await call.pause(5.0)
            assert call.reasons() == ["answered"]
            whole = ScriptedAnswer(TEN).sound()
            assert np.array_equal(call.sound(1), whole)
            assert len(call.all(actions.ShowSwap)) == 1
            spoke = [i for i in call.instances if "answer" in i.streams[0].record.names()]
            assert len(spoke) == 1

    run_virtual(main())


class WholeSegmentInstance(ScriptedInstance):
    """Encodes the whole segment anew for each verdict, as VITA's offline encoder does."""

    capabilities = Capabilities(is_streamed=False)


def test_an_offline_encoder_is_asked_less_often_whatever_the_client_sets() -> None:
    async def main() -> None:
        recorder = Recorder()
        unfinished = EngineScript(verdict=lambda _: UNFINISHED)
        pair = [WholeSegmentInstance(unfinished, name=name) for name in "ab"]
        async with calling_on(*pair, observers=(recorder,)) as call:
            call.orchestrator.handle(events.SettingsChanged(Settings(sure_threshold=0.7)))
            await call.speak(1.0)
            await call.pause(0.5)
        settings = [r.payload for r in recorder.records
                    if isinstance(r.payload, events.SettingsChanged)]  # fmt: skip
        assert [each.settings.flush_every for each in settings] == [SLOW_FLUSH_EVERY_S] * 2
        assert settings[1].settings.sure_threshold == 0.7
        asked = [r.now for r in recorder.records if isinstance(r.payload, actions.FlushHearing)]
        gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
        assert len(gaps) >= 2
        assert min(gaps) >= 0.128

    run_virtual(main())


def test_each_chunk_is_fed_with_what_its_encoding_looks_at() -> None:
    async def main() -> None:
        recorder = Recorder()
        unfinished = EngineScript(verdict=lambda _: UNFINISHED)
        async with calling(unfinished, observers=(recorder,)) as call:
            await call.pause(0.3)
            await call.speak(0.7)
            await call.pause(0.3)  # a flush in between, at no chunk's end
            await call.speak(0.7)
            heard = next(i for i in call.instances if i.streams[0].record.values("hear"))
            fed, positions = 0, []
            for size, last in heard.streams[0].record.values("hear"):
                fed += size
                positions += [] if last else [fed]
            assert len(positions) >= 8
            assert {at % HEAR_CHUNK for at in positions} == {HEAR_AHEAD}
            lags = [
                record.now - record.payload.until
                for record in recorder.records
                if isinstance(record.payload, events.VerdictGiven) and not record.payload.flushed
            ]
            assert max(lags[2:]) < HEAR_AHEAD / HEAR_RATE + 0.025

    run_virtual(main())


def test_both_instances_know_the_conversation_afterwards() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            for _ in range(2):
                await call.speak(1.0)
                await call.pause(5.0)
            for instance in call.instances:
                said = [i for i in instance.streams[0].memory.items if isinstance(i, AssistantText)]
                assert [item.text for item in said] == [TEN, TEN]

    run_virtual(main())


def test_a_user_who_goes_on_after_a_pause_is_heard_to_the_end() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            await call.speak(1.0)
            await call.pause(0.12)
            await call.speak(1.0)
            await call.pause(5.0)
            assert call.reasons() == ["answered"]
            assert len(call.all(actions.ResponseStarted)) == 1
            answered = next(
                i for i in call.instances if i.streams[0].record.values("answer")
            ).streams[0]
            turn = next(i for i in answered.memory.items if isinstance(i, UserSound))
            assert turn.samples is not None and len(turn.samples) > 2.0 * HEAR_RATE

    run_virtual(main())


def test_noise_over_an_answer_leaves_it_bit_equal_outside_the_duck() -> None:
    async def main() -> None:
        rule = timed([(0.0, QUERY)], [(0.0, NOISE)], [(0.0, QUERY)])
        async with calling(replace(QUERIES, verdict=rule), QUERIES) as call:
            await call.speak(1.0)
            await call.pause(1.5)
            monitor = next(i for i in call.instances if "answer" not in i.streams[0].record.names())
            monitor.script = replace(monitor.script, verdict=lambda _: NOISE)
            await call.speak(0.4)
            await call.pause(14)
            assert call.reasons() == ["ignored-noise", "answered"]
            sent, whole = call.sound(1), LONG.sound()
            assert len(sent) == len(whole)
            changed = np.flatnonzero(sent != whole)
            assert 0 < len(changed) < 0.8 * 24_000
            assert changed[-1] - changed[0] < 0.8 * 24_000
            names = monitor.streams[0].record.names()
            assert "rewind" in names

    run_virtual(main())


def test_a_barge_in_stops_the_answer_and_the_next_context_has_the_heard_words() -> None:
    async def main() -> None:
        async with calling(QUERIES) as call:
            await call.speak(1.0)
            await call.pause(2.0)
            await call.speak(1.0)
            await call.pause(2.0)
            first = call.all(actions.ResponseEnded)[0]
            assert first.reason == "turn_detected"
            second = next(
                i
                for i in call.instances
                if i.streams[0].record.values("answer")
                and any(isinstance(m, AssistantText) and m.cut for m in i.streams[0].memory.items)
            )
            cut = next(m for m in second.streams[0].memory.items if isinstance(m, AssistantText))
            assert first.heard.startswith(cut.text)
            assert len(first.heard.split()) - len(cut.text.split()) <= 2

    run_virtual(main())


@pytest.mark.parametrize("stuck", [0.0, 5.0])
def test_a_generator_that_ignores_cancellation_delays_nothing(stuck: float) -> None:
    """Two barge-ins within the five seconds: the times are the same as with a willing one."""

    async def main(stuck: float) -> list[float]:
        answers = [replace(LONG, stuck=stuck, chunk_delay=0.05)] * 9
        async with calling(replace(QUERIES, answers=answers)) as call:
            for _ in range(3):
                await call.speak(1.0)
                await call.pause(1.2)
            assert call.reasons()[:2] == ["answered", "answered"]
            ended = call.all(actions.ResponseEnded)
            assert [e.reason for e in ended] == ["turn_detected"] * 2
            return [t for t, e in call.log if isinstance(e, actions.ResponseStarted)]

    times = run_virtual(main(stuck))
    assert times == pytest.approx(run_virtual(main(0.0)), abs=0.05)


def test_a_stuck_monitor_is_replaced_and_the_query_is_heard_again() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with calling(QUERIES, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(1.5)
            monitor = next(i for i in call.instances if "answer" not in i.streams[0].record.names())
            monitor.script = replace(monitor.script, verdict_delay=60.0)
            await call.speak(1.5)
            await call.pause(3.0)
            assert [e.reason for e in call.all(actions.ResponseEnded)] == ["turn_detected"]
            assert len(call.all(actions.ResponseStarted)) == 2
            assert any(isinstance(r.payload, actions.ReplaceMonitor) for r in recorder.records)

    run_virtual(main())


def test_a_failing_generator_ends_the_turn_visibly_and_the_next_is_answered() -> None:
    async def main() -> None:
        answers = [replace(LONG, fail_after=2), LONG, LONG]
        async with calling(replace(QUERIES, answers=answers)) as call:
            await call.speak(1.0)
            await call.pause(3.0)
            for instance in call.instances:
                instance.mended()
                instance.script = replace(instance.script, answers=[LONG] * 3)
            await call.speak(1.0)
            await call.pause(3.0)
            assert call.all(actions.ResponseEnded)[0].status is actions.ResponseStatus.FAILED
            assert len(call.all(actions.ResponseStarted)) == 2

    run_virtual(main())


def test_catch_up_after_a_stall_answers_once_and_never_bursts() -> None:
    async def main() -> None:
        async with calling(QUERIES) as call:
            noise = np.random.default_rng(3)
            await call.pause(0.5)
            speech = noise.uniform(-0.5, 0.5, HEAR_RATE).astype(np.float32)
            call.orchestrator.hear(speech)  # two seconds arrive at once
            call.orchestrator.hear(np.zeros(HEAR_RATE, np.float32))
            await call.pause(3.0)
            assert len(call.all(actions.ResponseStarted)) == 1
            sent = [(t, len(s.samples)) for t, s in call.log if isinstance(s, AnswerSound)]
            began, total = sent[0][0], 0
            for now, count in sent:
                total += count
                assert total / 24_000 - (now - began) <= 0.081

    run_virtual(main())


def test_more_than_ten_seconds_behind_is_refused() -> None:
    async def main() -> None:
        async with calling(QUERIES) as call:
            with pytest.raises(InputOverrun):
                for _ in range(12):
                    call.orchestrator.hear(np.zeros(HEAR_RATE, np.float32))

    run_virtual(main())


def test_measurements_reach_the_observers() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with calling(SHORT, observers=(recorder,)) as call:
            await call.speak(1.0)
            await call.pause(4.0)
        what = {r.payload.what for r in recorder.records if isinstance(r.payload, Measured)}
        assert {"hear_rtf", "catch_up_seconds"} <= what

    run_virtual(main())


def test_the_sound_of_a_deleted_item_is_forgotten() -> None:
    async def main() -> None:
        async with calling(SHORT) as call:
            await call.speak(1.0)
            await call.pause(5.0)
            items = [turn.item_id for turn in call.orchestrator.session.conversation.turns]
            assert len(items) == 2
            for item_id in items:
                assert call.orchestrator.sound_of(item_id) is not None
                call.orchestrator.handle(events.ItemDeleteRequested(item_id))
                await call.pause(0.1)
                assert call.orchestrator.sound_of(item_id) is None

    run_virtual(main())
