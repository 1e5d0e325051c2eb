"""The Chinese teacher: its texts, the times of its syllables, where its features are moved to."""

import ctypes.util
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("pyworld")

from models.training.speech_mandarin import Likeness, read_mandarin, syllable_times
from models.training.speech_samples import SPOKEN_WORD
from models.training.speech_text_mandarin import (
    MandarinPlan,
    character_lists,
    common_characters,
    grammar_sentences,
    planned_mandarin,
)
from models.vita.letters import spell
from models.vita.vocoder import BANDS, FEATURES, PITCH, VOICING


def test_every_common_character_is_read_once() -> None:
    lists = character_lists(seed=2)
    read = [sign for text in lists for sign in text if sign not in "，。"]
    assert sorted(read) == sorted(common_characters()) and len(read) == 3755


def test_grammar_is_seeded_and_chinese_throughout() -> None:
    sentences = grammar_sentences(150, seed=3)
    assert sentences == grammar_sentences(150, seed=3) and len(set(sentences)) == 150
    for sentence in sentences:
        syllables = SPOKEN_WORD.findall(spell(sentence).letters)
        assert syllables and all(syllable[-1] in "12345" for syllable in syllables), sentence


def test_held_out_texts_are_never_trained_on() -> None:
    answers = [f"{a}加{b}。" for a in "一二三四五六七八" for b in "一二三四五"]
    plan = MandarinPlan(answers=20, grammar=30, held_out_answers=5, held_out_grammar=5)
    train, held_out = planned_mandarin(answers, plan)
    assert len(held_out) == 10 and not set(train) & set(held_out)


def test_syllables_end_at_marks_and_closures_belong_to_the_next() -> None:
    phones = [(0.1, "n"), (0.2, "i"), (0.3, "_|"), (0.35, "t"), (0.4, "a"), (0.5, "_|")]
    pause = [(0.5, "_:"), (0.8, "_"), (0.9, "x"), (1.1, "_|"), (1.2, "_")]
    assert syllable_times([*phones, *pause]) == ((0.1, 0.3), (0.3, 0.5), (0.9, 1.1))


def voice(seed: int, mean: float, pitch: float, filled: int) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(seed)
    out = random.normal(mean, 1.0, (4000, FEATURES)).astype(np.float32)
    out[:, filled:BANDS] = -20 + random.normal(0, 0.01, (4000, BANDS - filled))
    out[:, PITCH] = random.normal(pitch, 0.1, 4000)
    out[:, VOICING] = random.integers(0, 2, 4000)
    return out


def test_features_are_moved_to_the_other_voice() -> None:
    own, other = voice(1, -6.0, 6.8, BANDS - 3), voice(2, -4.0, 7.4, BANDS)
    moved = Likeness.between(own, other).move(own)
    voiced = moved[:, VOICING] > 0.5
    np.testing.assert_allclose(moved[:, :BANDS].mean(0), other[:, :BANDS].mean(0), atol=0.1)
    assert moved[voiced, PITCH].mean() == pytest.approx(7.4, abs=0.02)
    assert moved[voiced, PITCH].std() == pytest.approx(0.17, abs=0.02)
    assert (moved[:, VOICING] == own[:, VOICING]).all()
    empty = moved[:, BANDS - 3 : BANDS]  # nothing was there: they follow the band below
    assert np.corrcoef(empty[:, 1], moved[:, BANDS - 4])[0, 1] > 0.99


@pytest.mark.skipif(not ctypes.util.find_library("espeak-ng"), reason="needs espeak-ng")
def test_the_teacher_says_every_syllable_where_it_is_said_to() -> None:
    readings = list(read_mandarin(["法国的首都是巴黎，对吗？", "hello 你好"]))
    assert [reading.text for reading in readings] == ["法国的首都是巴黎，对吗？"]
    spans = readings[0].words
    assert len(spans) == 10 and all(0.05 < end - start < 0.6 for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert spans[-1][1] <= len(readings[0].samples) / 24_000
