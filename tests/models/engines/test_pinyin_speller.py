"""Tests of Chinese by the recogniser's frames: its letters, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.base import HEAR_CHUNK, AnswerChunk, AnswerOptions, Conversation
from models.engines.bundle import Bundle
from models.engines.embedded import EmbeddedInstance
from models.engines.letter_transcript import LETTERS, UNSPELLED, Array
from models.engines.pinyin_speller import PinyinSpeller

ROOT = Path(__file__).parents[3]


def scores_of(text: str, height: float = 9.0) -> Array:
    """Letter scores of a text, a blank behind each letter."""
    scores = np.zeros((2 * len(text), len(LETTERS)), np.float32)
    for place, letter in enumerate(text):
        scores[2 * place, LETTERS.index(letter)] = height
        scores[2 * place + 1, 0] = height
    return scores


class Session:
    """A network that answers with one array, whatever it is given."""

    def __init__(self, answer: Array) -> None:
        self.answer, self.given = answer, list[Array]()

    def run(self, _: Any, feed: dict[str, Array]) -> list[Array]:
        self.given += feed.values()
        return [self.answer[None]]


def speller(text: str, height: float = 9.0) -> tuple[PinyinSpeller, Session]:
    adapter = Session(np.ones((3, 4), np.float32))
    return PinyinSpeller(Session(scores_of(text, height)), adapter), adapter


def frames(counts: Sequence[int]) -> list[Array]:
    return [np.zeros((count, 288), np.float32) for count in counts]


def test_chinese_is_spelled_and_becomes_vectors() -> None:
    made, adapter = speller("ni hao")
    found = made.spell(frames([40]))
    assert found is not None and found.letters == "ni hao"
    assert found.certainty > 0.99
    assert made.vectors(found, 0).shape == (3, 4)
    assert adapter.given[0].shape == (1, 12, len(LETTERS))


def test_silence_is_blanks_behind_the_letters() -> None:
    made, adapter = speller("ni hao")
    found = made.spell(frames([40]))
    assert found is not None
    made.vectors(found, 16_000)
    [given] = adapter.given[0]
    assert len(given) == 12 + 25 and np.all(given[12:].argmax(axis=1) == 0)
    assert UNSPELLED.grown(given).words == "ni hao"


def test_the_parts_of_a_long_segment_are_one_text() -> None:
    made, _ = speller("ni hao ")
    found = made.spell(frames([40, 50, 1]))  # the last is too short to be spelled
    assert found is not None and found.letters == "ni hao ni hao"
    assert len(found.scores) == 28


@pytest.mark.parametrize("text", ["what is the capital", "th wrld", " "])
def test_what_is_no_pinyin_is_no_chinese(text: str) -> None:
    assert speller(text)[0].spell(frames([40])) is None


@pytest.mark.parametrize(
    ("text", "height", "is_sure"),
    [("ni hao", 4.6, True), ("ni hao", 4.3, False), ("hao", 5.2, True), ("hao", 4.6, False)],
)
def test_letters_of_noise_are_unsure(text: str, height: float, is_sure: bool) -> None:
    """The probability of a letter is 0.72 at 4.3, 0.78 at 4.6 and 0.87 at 5.2; a single syllable
    has to be surer."""
    assert (speller(text, height)[0].spell(frames([40])) is not None) is is_sure


@pytest.mark.parametrize("counts", [[], [1], [0, 1]])
def test_too_short_a_sound_spells_nothing(counts: list[int]) -> None:
    assert speller("ni hao")[0].spell(frames(counts)) is None


def test_certainty_is_the_mean_probability_of_the_letters() -> None:
    scores = scores_of("hao", height=2.0)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    grown = UNSPELLED.grown(scores[:2]).grown(scores[2:])
    assert grown.text == "hao"
    assert grown.certainty == pytest.approx(float(shares[::2].max(axis=1).mean()), rel=1e-5)
    assert UNSPELLED.grown(scores[1:2]).certainty == 0.0


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    bundle = Bundle.read(ROOT / "models" / "nano")
    if bundle.recogniser is None:
        pytest.skip("no wheel of moonshine-voice for this platform")
    return bundle


async def answered(bundle: Bundle, name: str) -> tuple[str, str]:
    """What nano understood of a clip, and what it answered."""
    samples, _ = soundfile.read(ROOT / "tests" / "data" / "audio" / f"{name}.flac", dtype="float32")
    instance = EmbeddedInstance(bundle, "speller")
    try:
        stream = await instance.open(Conversation())
        for start in range(0, samples.size, HEAR_CHUNK):
            last = start + HEAR_CHUNK >= samples.size
            verdict = await stream.hear(samples[start : start + HEAR_CHUNK], last=last)
        assert verdict.query > 0.5
        await stream.end_segment()
        options = AnswerOptions(speak=False, max_tokens=44)
        parts = [part async for part in stream.answer(options)]
    finally:
        await instance.close()
    said = "".join(part.text for part in parts if isinstance(part, AnswerChunk))
    return verdict.words, said


async def test_a_neural_voice_that_nobody_learned_from_is_understood(bundle: Bundle) -> None:
    """The clip is of a voice of Kokoro that is kept back."""
    words, said = await answered(bundle, "question_zh_neural")
    assert "星期一" in words and "星期二" in said
    _, misheard = await answered(replace(bundle, speller=None), "question_zh_neural")
    assert "星期二" not in misheard


async def test_a_voice_that_nanos_own_encoder_knows_is_left_to_it(bundle: Bundle) -> None:
    clip = "question_zh_capital"
    alone = await answered(replace(bundle, speller=None), clip)
    assert await answered(bundle, clip) == alone
