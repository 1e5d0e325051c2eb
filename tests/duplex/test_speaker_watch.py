"""Whose voice it is, in the shell: when it computes, what it keeps, and what it never tells."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
from dataclasses import dataclass, field

import numpy as np
import pytest

from audio.frame import Samples
from duplex import actions, events
from duplex.endpointing import Settings
from duplex.speaker_watch import MAX_SPEAKERS, SpeakerProfile, SpeakerWatch
from duplex.trace import TraceWriter
from models.base import InstanceFailed, VoicePrint
from tests.duplex.call import Call, Recorder, calling
from tests.duplex.virtual import run_virtual
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer

LONG = " ".join(f"word{n}" for n in range(60))
USER, OTHER = 0.3, 0.1  # people are told apart by how loud they are
SECRET = 0.5477  # stands in every print


@dataclass
class LoudnessEncoder:
    """One value of a print is how loud the voice is; `gate` holds all work up while it is set."""

    gate: asyncio.Event | None = None
    is_broken: bool = False
    calls: list[float] = field(default_factory=list)  # seconds of each

    async def embed(self, voiced: Samples) -> VoicePrint:
        self.calls.append(len(voiced) / 16_000)
        if self.gate is not None:
            await self.gate.wait()
        if self.is_broken:
            raise InstanceFailed("the speaker encoder broke")
        vector = np.array([np.abs(voiced).mean(), SECRET], np.float32)
        return VoicePrint(vector, len(voiced) / 16_000, -20.0)

    def likeness(self, known: VoicePrint, heard: VoicePrint) -> float:
        one, other = (float(print_.vector[0] / print_.vector[1]) for print_ in (known, heard))
        return 0.9 if abs(one - other) < 0.1 else 0.1


def script() -> EngineScript:
    return EngineScript(verdict=lambda _: QUERY, answers=[ScriptedAnswer(LONG)] * 4)


async def answered(call: Call) -> None:
    """The user asks, and the answer goes on for a while."""
    await call.speak(1.0, USER)
    await call.pause(1.5)


def scores(recorder: Recorder) -> list[float]:
    found = (record.payload for record in recorder.records)
    return [one.score for one in found if isinstance(one, events.SpeakerScored)]


@pytest.mark.parametrize(("level", "expected"), [(USER, 0.9), (OTHER, 0.1)])
def test_a_voice_over_the_answer_is_compared_with_the_one_that_was_answered(
    level: float, expected: float
) -> None:
    encoder, recorder = LoudnessEncoder(), Recorder()

    async def main() -> None:
        async with calling(script(), encoder=encoder, observers=(recorder,)) as call:
            await answered(call)
            await call.speak(0.4, level)
            await call.pause(1.0)

    run_virtual(main())
    assert scores(recorder) and set(scores(recorder)) == {expected}


def test_a_voice_in_silence_costs_one_piece_of_work() -> None:
    """Turns are learned; while they are spoken nothing is computed."""
    encoder = LoudnessEncoder()

    async def main() -> None:
        async with calling(script(), encoder=encoder) as call:
            await answered(call)

    run_virtual(main())
    assert len(encoder.calls) == 1


def test_a_slow_encoder_delays_no_verdict_and_queues_nothing() -> None:
    """While one comparison is under way there is no other, and the answer is stopped as ever."""
    encoder = LoudnessEncoder()

    async def main() -> float:
        async with calling(script(), encoder=encoder) as call:
            await answered(call)
            assert len(encoder.calls) == 1
            encoder.gate = asyncio.Event()
            began = asyncio.get_running_loop().time()
            await call.speak(2.0, OTHER)
            stopped = next(now for now, one in call.log if isinstance(one, actions.ResponseEnded))
            return stopped - began

    assert run_virtual(main()) < 0.5
    assert len(encoder.calls) == 2


def test_a_broken_encoder_leaves_the_call_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    encoder, recorder = LoudnessEncoder(is_broken=True), Recorder()

    async def main() -> list[str]:
        async with calling(script(), encoder=encoder, observers=(recorder,)) as call:
            await answered(call)
            await call.speak(1.0, OTHER)
            await call.pause(1.0)
            return call.reasons()

    assert run_virtual(main()) == ["answered"]
    assert not scores(recorder)
    assert "the speaker encoder broke" in caplog.text


@pytest.mark.parametrize("is_late", [False, True])
def test_switched_off_by_the_client_the_voice_is_forgotten(is_late: bool) -> None:
    """Also what was being computed at that moment."""
    encoder, recorder = LoudnessEncoder(), Recorder()
    off, on = Settings(speaker_profile=False), Settings()

    async def main() -> None:
        async with calling(script(), encoder=encoder, observers=(recorder,)) as call:
            if is_late:
                encoder.gate = asyncio.Event()
            await answered(call)
            call.orchestrator.handle(events.SettingsChanged(off))
            call.orchestrator.handle(events.SettingsChanged(on))
            await call.pause(0.1)
            if encoder.gate is not None:
                encoder.gate.set()
            await call.speak(0.4, USER)
            await call.pause(0.5)

    run_virtual(main())
    assert not scores(recorder)


# -------------------------------------------------------------------------------- personal data


def test_no_trace_and_no_log_holds_a_print(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = io.StringIO()
    writer = TraceWriter(file, words=True)

    async def main() -> None:
        async with calling(script(), encoder=LoudnessEncoder(), observers=(writer,)) as call:
            await answered(call)
            await call.speak(1.0, USER)
            await call.pause(1.0)

    run_virtual(main())
    assert "SpeakerScored" in file.getvalue()
    assert str(SECRET) not in file.getvalue()
    assert str(SECRET) not in caplog.text
    assert str(SECRET) not in repr(VoicePrint(np.array([SECRET], np.float32), 1.0, -20.0))


def test_no_snapshot_holds_a_print_and_the_end_forgets_it() -> None:
    async def main() -> tuple[str, int, int]:
        encoder = LoudnessEncoder()
        async with calling(script(), encoder=encoder) as call:
            await answered(call)
            snapshot = repr(call.orchestrator.snapshot())
            during = prints()
            call.orchestrator.release()
            return snapshot, during, prints()

    snapshot, during, after = run_virtual(main())
    assert str(SECRET) not in snapshot and "VoicePrint" not in snapshot
    assert (during, after) == (1, 0)


def test_a_voice_that_could_not_be_learned_does_no_harm() -> None:
    encoder, recorder = LoudnessEncoder(is_broken=True), Recorder()

    async def main() -> None:
        async with calling(script(), encoder=encoder, observers=(recorder,)) as call:
            await answered(call)
            encoder.is_broken = False
            await answered(call)
            await call.speak(0.4, USER)
            await call.pause(1.0)

    run_virtual(main())
    assert scores(recorder) and set(scores(recorder)) == {0.9}


def test_a_voice_in_the_middle_of_a_word_is_forgotten_too() -> None:
    reported: list[events.SpeakerScored] = []
    watch, piece = SpeakerWatch(LoudnessEncoder(), reported.append), np.full(160, USER, np.float32)
    watch.begin(1)
    watch.hear(piece, 0.01)
    watch.forget()
    watch.hear(piece, 0.02)
    assert reported == []


def prints() -> int:
    """Voice prints that are alive."""
    gc.collect()
    return sum(issubclass(type(one), VoicePrint) for one in gc.get_objects())


# ------------------------------------------------------------------------------------ the profile


def voice(loudness: float, seconds: float = 2.0) -> VoicePrint:
    return VoicePrint(np.array([loudness, SECRET], np.float32), seconds, -20.0)


def test_a_profile_knows_the_voices_that_were_answered() -> None:
    profile = SpeakerProfile(LoudnessEncoder())
    assert profile.score(voice(0.3)) is None
    profile.learn(voice(0.3))
    profile.learn(voice(0.31))
    assert len(profile) == 1
    profile.learn(voice(0.5))
    assert [profile.score(voice(x)) for x in (0.3, 0.5, 0.7)] == [0.9, 0.9, 0.1]


def test_a_crowd_pushes_out_who_was_heard_least() -> None:
    profile = SpeakerProfile(LoudnessEncoder())
    for number in range(MAX_SPEAKERS):
        profile.learn(voice(number / 10, 9.0 - number))
    profile.learn(voice(0.9))
    assert len(profile) == MAX_SPEAKERS
    assert profile.score(voice((MAX_SPEAKERS - 1) / 10)) == 0.1
    assert profile.score(voice(0.0)) == profile.score(voice(0.9)) == 0.9


def test_a_voice_is_the_mean_of_what_was_heard_of_it() -> None:
    one = VoicePrint(np.array([1, 0], np.float32), 3.0, -20.0)
    two = VoicePrint(np.array([0, 1], np.float32), 1.0, -40.0)
    both = one.joined(two, 20.0)
    assert both.vector == pytest.approx(np.array([3, 1]) / np.sqrt(10))
    assert (both.seconds, both.level) == (4.0, -25.0)
    assert one.joined(two, 1.0).vector == pytest.approx(np.array([1, 1]) / np.sqrt(2))


def test_a_voice_is_compared_soon_and_then_less_often() -> None:
    """The first time at 120 ms of voice, then every 60 ms up to 700 ms, then every 280 ms."""
    encoder = LoudnessEncoder()
    reported: list[events.SpeakerScored] = []

    async def main() -> None:
        piece = np.full(160, USER, np.float32)  # 10 ms
        async with asyncio.TaskGroup() as group:
            watch = SpeakerWatch(encoder, reported.append)
            watch.start(group)
            watch.begin(1)
            for n in range(100):
                watch.hear(piece, n / 100)
            watch.learn(1)
            await asyncio.sleep(0.1)
            watch.begin(2)
            watch.compare(2)
            for n in range(1, 141):
                watch.hear(piece, n / 100)
                await asyncio.sleep(0.01)
            watch.end()
            watch.hear(np.ones(16_000, np.float32), 9.0)  # no sound of a segment

    run_virtual(main())
    assert [round(seconds, 2) for seconds in encoder.calls[1:]] == pytest.approx(
        [*(0.12 + 0.06 * n for n in range(11)), 1.0, 1.28]
    )
    assert [one.until for one in reported] == pytest.approx(encoder.calls[1:])
    assert {(one.segment, one.score) for one in reported} == {(2, 0.9)}


def test_another_setting_leaves_the_known_voice_known() -> None:
    encoder, recorder = LoudnessEncoder(), Recorder()

    async def main() -> None:
        async with calling(script(), encoder=encoder, observers=(recorder,)) as call:
            await answered(call)
            call.orchestrator.handle(events.SettingsChanged(Settings(lead=0.1)))
            await call.speak(0.4, USER)
            await call.pause(0.5)

    run_virtual(main())
    assert scores(recorder)
