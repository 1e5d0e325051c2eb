"""Bit-equality of a disturbed answer: what the comparison accepts and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from audio.frame import Samples
from audio.gain import Ducker
from audio.pcm import decode_pcm16, encode_pcm16
from benchmarks.resume import compare
from tests.benchmarks.calls import beep

REFERENCE = decode_pcm16(encode_pcm16(beep(2.0)))


def ducked(samples: Samples, down: int, up: int) -> Samples:
    """What the wire carries when the answer is ducked from sample `down` to `up`."""
    ducker = Ducker()
    before = ducker.process(samples[:down])
    ducker.duck()
    inside = ducker.process(samples[down:up])
    ducker.restore()
    after = ducker.process(samples[up:])
    return decode_pcm16(encode_pcm16(np.concatenate((before, inside, after))))


@pytest.mark.parametrize(("down", "up"), [(5000, 12000), (5003, 5100), (480, 30000)])
def test_a_clean_duck_is_equal(down: int, up: int) -> None:
    found = compare(REFERENCE, ducked(REFERENCE, down, up))
    assert found.is_equal
    assert len(found.ducks) == 1
    first, last = found.ducks[0]
    assert down - 1 <= first <= down + 240
    assert up - 1 <= last <= up + 240


def test_an_undisturbed_answer_has_no_duck() -> None:
    found = compare(REFERENCE, REFERENCE.copy())
    assert found.is_equal
    assert found.ducks == ()


def test_two_ducks_are_two() -> None:
    twice = ducked(ducked(REFERENCE, 3000, 9000), 25000, 31000)
    found = compare(REFERENCE, twice)
    assert found.is_equal
    assert len(found.ducks) == 2


def test_two_ducks_that_follow_closely_are_two() -> None:
    twice = ducked(ducked(REFERENCE, 3000, 9000), 10500, 16000)
    found = compare(REFERENCE, twice)
    assert found.is_equal
    assert len(found.ducks) == 2


@pytest.mark.parametrize("kind", ["lost", "doubled", "wrong gain", "one wrong sample"])
def test_damage_is_seen(kind: str) -> None:
    heard = ducked(REFERENCE, 5000, 12000)
    if kind == "lost":
        heard = np.delete(heard, 20000)
    elif kind == "doubled":
        heard = np.insert(heard, 20000, heard[20000])
    elif kind == "wrong gain":
        heard[7000:9000] *= 1.5
    else:
        heard[30000] += 0.01
    assert not compare(REFERENCE, heard).is_equal


def test_an_answer_that_was_hung_up_on_is_compared_as_far_as_it_came() -> None:
    heard = ducked(REFERENCE, 5000, 12000)[:20000]
    assert compare(REFERENCE, heard, is_whole=False).is_equal
    assert not compare(REFERENCE, heard, is_whole=True).is_equal
