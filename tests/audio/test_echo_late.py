"""Echo is known as echo though a busy server sends late, hears late, and its client runs dry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from audio.echo import EchoGuard
from audio.frame import EMPTY, Samples
from audio.playout import PlayoutClock
from tests.audio.test_echo import ECHO_GAIN, RATE, ROOM_NOISE, clip, room

FRAME, WINDOW = 320, 512  # samples that arrive at a time, and that are judged at a time
BEGIN = 0.5  # seconds until the answer begins
Busy = list[tuple[float, float]]


def busy_times(random: np.random.Generator, seconds: float, mean: float) -> Busy:
    """When a loop does nothing else: twice a second, for `mean` seconds."""
    found, now = [], random.exponential(0.5)
    while now < seconds:
        lasts = min(0.4, random.exponential(mean))
        found.append((now, now + lasts))
        now += lasts + random.exponential(0.5)
    return found


def free(now: float, busy: Busy) -> float:
    return next((end for start, end in busy if start <= now < end), now)


@dataclass
class LateCall:
    """An answer on its way to a client without a buffer, and back into its microphone."""

    output: Samples
    delay: float
    server: Busy = field(default_factory=list)
    client: Busy = field(default_factory=list)
    response: Samples | None = None
    voice: Samples = field(default_factory=lambda: EMPTY)
    onset: float = 0.0

    def sends(self) -> Iterator[tuple[float, int, int]]:
        """(when, first sample, samples), as duplex.answering paces them."""
        clock, now, sent = PlayoutClock(RATE), BEGIN, 0
        while sent < len(self.output):
            count = min(FRAME, len(self.output) - sent)
            due = clock.next_room_time(count, now)
            now = now if due <= now else free(due + 1e-6, self.server)
            clock.sent(count, now)
            yield now, sent, count
            sent += count

    def microphone(self) -> Samples:
        line, end = np.zeros(len(self.output) + 4 * RATE, np.float32), 0
        way = np.random.default_rng(5)
        for now, first, count in self.sends():
            comes = free(now + way.uniform(0.001, 0.006), self.client)
            at = max(round(comes * RATE), end)
            line[at : at + count] = self.output[first : first + count]
            end = at + count
        came = line if self.response is None else np.convolve(line, self.response)[: len(line)]
        heard = np.concatenate((np.zeros(int(self.delay * RATE)), came * ECHO_GAIN))[: end + RATE]
        heard += np.random.default_rng(3).normal(0, ROOM_NOISE, len(heard))
        start = int(self.onset * RATE)
        heard[start : start + len(self.voice)] += self.voice
        return heard.astype(np.float32)

    def false_voice(self) -> list[float]:
        """When a loud window was no echo."""
        microphone, guard, found = self.microphone(), EchoGuard(RATE), []
        done, sends = 0, list(self.sends())
        for number in range(len(microphone) // FRAME):
            now = free((number + 1) * FRAME / RATE + 1e-3, self.server)
            while sends and sends[0][0] <= now:
                when, first, count = sends.pop(0)
                guard.played(self.output[first : first + count], when)
            guard.arrived(FRAME, now)
            while done + WINDOW <= (number + 1) * FRAME:
                window = microphone[done : done + WINDOW]
                done += WINDOW
                is_loud = np.sqrt(np.mean(window**2)) > 10 * ROOM_NOISE
                if not guard.heard(window).is_echo and is_loud:
                    found.append(done / RATE)
        return found


@pytest.mark.parametrize("seed", range(6))
def test_late_sends_make_no_voice_of_our_echo(seed: int) -> None:
    random = np.random.default_rng(seed)
    response = [None, room(0.3, 0.15), room(0.6, 0.3)][seed % 3]
    busy = busy_times(random, 6.0, 0.12)
    call = LateCall(clip("long_en")[: 4 * RATE], random.uniform(0.05, 0.4), busy, [], response)
    assert call.false_voice() == []


@pytest.mark.parametrize("gap", [0.06, 0.1, 0.2])
def test_a_client_that_runs_dry_makes_no_voice_of_our_echo(gap: float) -> None:
    dry = [(2.0, 2.0 + gap + 0.08)]
    assert LateCall(clip("long_en")[: 4 * RATE], 0.15, [], dry).false_voice() == []


@pytest.mark.parametrize("name", ["question_en_sum", "question_zh_capital", "side_talk_salt"])
def test_a_voice_on_top_is_heard_though_sends_are_late(name: str) -> None:
    busy = busy_times(np.random.default_rng(11), 6.0, 0.12)
    voice, onset = clip(name, 0.06 * ECHO_GAIN * 1.5)[: 2 * RATE], 2.3
    call = LateCall(clip("long_en")[: 4 * RATE], 0.2, busy, [], room(0.3, 0.15), voice, onset)
    found = call.false_voice()
    assert onset < found[0] < onset + 0.3
    inside = [at for at in found if at < onset + len(voice) / RATE]
    assert len(inside) > 0.6 * len(voice) / WINDOW


def test_a_microphone_that_is_judged_late_does_not_lengthen_the_delay() -> None:
    """Output stands where the microphone is, not where its judging has come to."""
    call = LateCall(clip("long_en")[: 2 * RATE], 0.4)
    microphone, guard = call.microphone(), EchoGuard(RATE)
    sends, lag = list(call.sends()), 30 * FRAME
    for number in range(len(microphone) // FRAME):
        now = (number + 1) * FRAME / RATE
        while sends and sends[0][0] <= now:
            when, first, count = sends.pop(0)
            guard.played(call.output[first : first + count], when)
        guard.arrived(FRAME, now)
        at = (number + 1) * FRAME - lag
        report = guard.heard(microphone[max(0, at - FRAME) : max(0, at)])
    assert report.delay == pytest.approx(0.4, abs=0.03)
