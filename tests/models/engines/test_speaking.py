"""tests: the voice of one answer at every speed: its length, its words' places, its portions."""

from __future__ import annotations

import numpy as np
import pytest

from models.base import Samples, SpokenWord
from models.engines.bundle import Bundle
from models.engines.speaking import SLOWER, NanoVoice

pytestmark = pytest.mark.timeout(300)  # the first of all exports a model

TEXT = "Hello there, Paris. 法国的首都是巴黎。"
WORDS = ["Hello", "there,", "Paris.", *"法国的首都是巴", "黎。"]


def spoken(bundle: Bundle, speed: float, slower: bool = False) -> tuple[Samples, list[SpokenWord]]:
    cache = bundle.speech_cache()
    assert cache is not None
    voice = NanoVoice(bundle, cache, seed=1, speed=speed)
    if slower:
        voice.slow_down()
    voice.write(TEXT)
    voice.end()
    sound, words = [np.zeros(0, np.float32)], list[SpokenWord]()
    while not voice.done:
        for chunk in voice.step():
            words += chunk.words
            if chunk.samples is not None:
                sound.append(chunk.samples)
    return np.concatenate(sound), words


@pytest.mark.parametrize(("speed", "slower"), [(0.5, False), (1.5, False), (1.0, True)])
def test_another_speed_moves_every_word_with_its_sound(
    bundle: Bundle, speed: float, slower: bool
) -> None:
    usual, words = spoken(bundle, 1.0)
    other, moved = spoken(bundle, speed, slower)
    factor = speed * (SLOWER if slower else 1.0)
    assert [word.text for word in moved] == [word.text for word in words] == WORDS
    assert len(other) == pytest.approx(len(usual) / factor, abs=200)
    for word, before in zip(moved, words, strict=True):
        assert word.start == pytest.approx(before.start / factor, abs=1)
        assert word.end == pytest.approx(before.end / factor, abs=1)
    assert moved[-1].end <= len(other)
