"""Tests of how a growing segment is recognised: its pace, its guesses, where it is closed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from models.base import HEAR_RATE, Samples
from models.engines.segment_words import (
    LONGEST,
    PACE,
    TELLING,
    UNHEARD,
    SegmentWords,
    encode,
    quietest,
    recognise,
    take,
)
from models.moonshine import WIDTH, Array, Recognition


@dataclass
class Numbering:
    """A recogniser that writes how many samples it heard."""

    certainty: float = 0.9
    calls: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)

    def recognise(self, samples: Samples, guess: tuple[int, ...] = ()) -> Recognition:
        self.calls.append((samples.size, guess))
        return Recognition(f"{samples.size}", (samples.size,), self.certainty, self.encode(samples))

    def encode(self, samples: Samples) -> Array:
        return np.full((1, WIDTH), samples.size, np.float32)


def noise(count: int) -> Samples:
    return np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)


def test_a_segment_is_heard_again_only_after_enough_new_sound() -> None:
    recogniser, words = Numbering(), UNHEARD
    for _ in range(12):
        words = take(words, noise(PACE // 4))
        words = recognise(words, recogniser) if words.is_due else words
    assert [size for size, _ in recogniser.calls] == [PACE, 2 * PACE, 3 * PACE]
    assert recogniser.calls[1][1] == (PACE,), "the tokens before are the guess"


def test_nothing_new_is_not_heard_again() -> None:
    recogniser = Numbering()
    words = recognise(take(UNHEARD, noise(PACE)), recogniser)
    assert recognise(words, recogniser) is words
    assert len(recogniser.calls) == 1


def test_a_long_segment_is_closed_in_parts_and_keeps_its_words() -> None:
    recogniser, words = Numbering(), UNHEARD
    for _ in range(30 * HEAR_RATE // PACE):
        words = take(words, noise(PACE))
        words = recognise(words, recogniser)
    assert max(size for size, _ in recogniser.calls) <= LONGEST
    assert words.size <= LONGEST
    total = sum(int(size) for size in words.text.split())
    assert total == 30 * HEAR_RATE // PACE * PACE, "every sample is in exactly one part"
    assert words.certainty == pytest.approx(0.9)


def test_a_part_is_closed_where_it_is_quietest() -> None:
    sound = noise(4 * HEAR_RATE)
    sound[3 * HEAR_RATE : 3 * HEAR_RATE + HEAR_RATE // 10] = 0
    assert 3 * HEAR_RATE <= quietest(sound) < 3 * HEAR_RATE + HEAR_RATE // 10


def test_what_seems_no_english_waits_for_the_pause() -> None:
    doubtful = recognise(take(UNHEARD, noise(TELLING)), Numbering(certainty=0.3))
    words = take(doubtful, noise(4 * PACE))
    assert words.is_foreign and not words.is_due
    words = recognise(words, Numbering(certainty=0.9))
    assert not words.is_foreign and words.certainty == 0.9, "the whole is heard at the pause"


def test_a_short_doubtful_sound_is_heard_again() -> None:
    words = recognise(take(UNHEARD, noise(TELLING // 2)), Numbering(certainty=0.3))
    assert not words.is_foreign


def test_states_are_values() -> None:
    before = take(UNHEARD, noise(PACE))
    after = recognise(before, Numbering())
    assert before.text == "" and after.text
    assert UNHEARD == SegmentWords()


def test_a_pause_is_not_heard_again_and_what_follows_it_is() -> None:
    recogniser = Numbering()
    words = recognise(take(UNHEARD, noise(4 * PACE)), recogniser)
    for _ in range(3):
        words = recognise(take(words, noise(PACE // 4) * 0.01), recogniser)
    assert len(recogniser.calls) == 1 and words.text == f"{4 * PACE}"
    words = recognise(take(words, noise(PACE)), recogniser)
    assert [size for size, _ in recogniser.calls] == [4 * PACE, 5 * PACE + 3 * (PACE // 4)]


def frames_of(words: SegmentWords) -> list[int]:
    """How many samples each part of the encoder's frames was made from."""
    return [int(part[0, 0]) for part in words.encoded]


def test_the_frames_of_all_parts_are_kept() -> None:
    words = take(UNHEARD, noise(3 * HEAR_RATE))
    words = recognise(words, Numbering())
    assert frames_of(words) == [3 * HEAR_RATE]
    words = recognise(take(words, noise(6 * HEAR_RATE)), Numbering())
    assert len(frames_of(words)) == 2 and sum(frames_of(words)) == 9 * HEAR_RATE


def test_foreign_sound_is_encoded_without_words() -> None:
    numbering = Numbering(certainty=0.3)
    words = recognise(take(UNHEARD, noise(2 * HEAR_RATE)), numbering)
    again = encode(take(words, noise(HEAR_RATE)), numbering)
    assert len(numbering.calls) == 1
    assert (again.text, again.is_foreign) == (words.text, True)
    assert frames_of(again) == [3 * HEAR_RATE] and again.read == 3 * HEAR_RATE
    assert encode(again, numbering) is again
