"""Our own output in the microphone is echo, at any delay and in a room; a voice on top is not."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.echo import EchoGuard, EchoReport
from audio.frame import Samples

CLIPS = Path(__file__).parents[1] / "data" / "audio"
RATE, TICK, LEAD = 16_000, 320, 1_280
ROOM_NOISE = 10 ** (-70 / 20)
ECHO_GAIN = 10 ** (-10 / 20)


def clip(name: str, level: float = 0.06) -> Samples:
    """The voiced part of a clip at a level (root of mean square)."""
    span = json.loads((CLIPS / "clips.json").read_text(encoding="utf-8"))[name]
    samples, _ = soundfile.read(CLIPS / f"{name}.flac", dtype="float32")
    voiced = samples[span["first_voiced"] : span["end_of_voice"]]
    return np.asarray(voiced * (level / np.sqrt(np.mean(voiced**2))), dtype=np.float32)


def room(seconds: float, share: float) -> Samples:
    """An impulse response: the direct sound and a dying tail that has `share` of its energy."""
    time = np.arange(int(seconds * RATE)) / RATE
    tail = np.random.default_rng(9).normal(0, 1, len(time)) * 10 ** (-3 * time / seconds)
    tail *= np.sqrt(share / np.sum(tail**2))
    tail[0] = 1.0
    return tail.astype(np.float32)


def echo_of(output: Samples, delay: float, response: Samples | None = None) -> Samples:
    came = output if response is None else np.convolve(output, response)[: len(output)]
    late = np.concatenate((np.zeros(int(delay * RATE)), came * ECHO_GAIN))[: len(output)]
    noise = np.random.default_rng(3).normal(0, ROOM_NOISE, len(output))
    return (late + noise).astype(np.float32)


def listen(
    output: Samples, microphone: Samples, guard: EchoGuard | None = None, began: float = 0.0
) -> list[EchoReport]:
    """Plays with a lead of 80 ms and hears in steps of 20 ms, as a session does."""
    guard, sent, reports = guard or EchoGuard(RATE), 0, []
    for at in range(0, len(microphone) - TICK + 1, TICK):
        until = min(len(output), at + LEAD)
        if until > sent:
            guard.played(output[sent:until], began + at / RATE)
        sent = max(sent, until)
        guard.arrived(TICK, began + (at + TICK) / RATE)
        reports.append(guard.heard(microphone[at : at + TICK]))
    return reports


def loud(microphone: Samples) -> list[bool]:
    """Steps in which a detector could hear a voice: well above the room's noise."""
    steps = microphone[: len(microphone) // TICK * TICK].reshape(-1, TICK)
    return list(np.sqrt(np.mean(steps**2, axis=1)) > 10 * ROOM_NOISE)


@pytest.mark.parametrize(
    ("delay", "response"),
    [
        pytest.param(0.05, None, id="50 ms"),
        pytest.param(0.137, None, id="137 ms"),
        pytest.param(0.4, None, id="400 ms"),
        pytest.param(0.12, room(0.3, 0.15), id="a small room"),
        pytest.param(0.25, room(0.6, 0.3), id="a hard room"),
    ],
)
def test_our_own_output_is_echo(delay: float, response: Samples | None) -> None:
    output = clip("long_en")[: 4 * RATE]
    microphone = echo_of(output, delay, response)
    reports = listen(output, microphone)
    judged = [r for r, is_loud in zip(reports, loud(microphone), strict=True) if is_loud]
    assert len(judged) > 100
    assert all(report.is_echo for report in judged)
    assert reports[-1].delay == pytest.approx(delay, abs=0.03)
    assert np.median([report.likeness for report in judged[50:]]) > 0.8


@pytest.mark.parametrize("name", ["question_en_sum", "question_zh_capital", "side_talk_salt"])
@pytest.mark.parametrize("decibels", [0.0, 6.0])
def test_a_voice_on_top_is_heard(name: str, decibels: float) -> None:
    output = clip("long_en")[: 4 * RATE]
    microphone = echo_of(output, 0.15, room(0.3, 0.15))
    voice = clip(name, 0.06 * ECHO_GAIN * 10 ** (decibels / 20))[: RATE * 2]
    onset = RATE + RATE // 2
    microphone[onset : onset + len(voice)] += voice
    heard = [not r.is_echo for r in listen(output, microphone)]
    first, last = onset // TICK, (onset + len(voice)) // TICK
    assert not any(
        h and is_loud for h, is_loud in zip(heard[:first], loud(microphone), strict=False)
    )
    assert any(heard[first : first + 15])  # within 300 ms
    assert np.mean(heard[first:last]) > 0.75


def test_without_an_echo_a_voice_is_a_voice() -> None:
    output, voice = clip("long_en")[: 4 * RATE], clip("question_en_sum")
    microphone = echo_of(np.zeros_like(output), 0.0)
    microphone[RATE : RATE + len(voice)] += voice
    reports = listen(output, microphone)
    first, last = RATE // TICK, (RATE + len(voice)) // TICK
    assert np.mean([not r.is_echo for r in reports[first:last]]) > 0.6
    assert reports[-1].delay is None


@pytest.mark.parametrize("name", ["question_en_sum", "question_en_colour", "question_zh_capital"])
@pytest.mark.parametrize("onset", [1.0, 2.5])
def test_output_that_was_never_heard_back_delays_no_voice(name: str, onset: float) -> None:
    output, voice = clip("long_en")[: 4 * RATE], clip(name)[:RATE]
    microphone = echo_of(np.zeros_like(output), 0.0)
    at = round(onset * RATE)
    microphone[at : at + len(voice)] += voice
    reports = listen(output, microphone)
    first = at // TICK
    assert not any(report.is_echo for report in reports[first + 3 : first + 25])


def test_while_nothing_plays_nothing_is_echo() -> None:
    voice = clip("question_en_sum")
    assert listen(np.zeros(0, dtype=np.float32), voice)
    assert not any(r.is_echo for r in listen(np.zeros(0, dtype=np.float32), voice))


def test_the_next_answer_is_known_at_once_even_if_its_delay_moved() -> None:
    guard, now = EchoGuard(RATE), 0.0

    def go_on(output: Samples, microphone: Samples) -> list[EchoReport]:
        nonlocal now
        reports = listen(output, microphone, guard, now)
        now += len(microphone) // TICK * TICK / RATE
        return reports

    first, silence = clip("long_en")[: 3 * RATE], echo_of(np.zeros(2 * RATE, np.float32), 0.0)
    go_on(first, echo_of(first, 0.15))
    go_on(first[:0], silence)
    second = clip("statement_en")
    for delay in (0.15, 0.19):
        microphone = echo_of(second, delay)
        reports = go_on(second, microphone)
        judged = [
            r.is_echo for r, is_loud in zip(reports, loud(microphone), strict=True) if is_loud
        ]
        assert all(judged)
        go_on(first[:0], silence)


def test_chunks_do_not_matter() -> None:
    output = clip("long_en")[:RATE]
    microphone = echo_of(output, 0.1)
    whole, parts = EchoGuard(RATE), EchoGuard(RATE)
    whole.played(output, 0.0)
    parts.played(output, 0.0)
    for chunk in np.split(microphone, [1, 333, 5000, 5001]):
        last = parts.heard(chunk)
    assert last == whole.heard(microphone)
