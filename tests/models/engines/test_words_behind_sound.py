"""Tests of nano's stream with a recogniser: what is read, judged, taken back and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from models.base import HEAR_CHUNK, HEAR_RATE, Conversation, Samples, UserSound, UserText
from models.engines.bundle import Bundle
from models.engines.cascade import assembly as cascade
from models.engines.memory import PromptMemory
from models.engines.nano_model import NanoModel
from models.engines.pinyin_speller import SpelledChinese
from models.moonshine import WIDTH, Array, Recognition
from models.training.export import Parts
from models.vita.nano_prompt import NanoPrompt
from tests.models.engines.conftest import tiny_config, tiny_tokenizer, torch_networks

SURE, UNSURE, NONE = 0.9, 0.65, 0.2
WORDS = "What is the capital?"


@dataclass
class Saying:
    """A recogniser that always says the same."""

    certainty: float
    text: str = WORDS
    asked: int = 0

    def recognise(self, samples: Samples, guess: tuple[int, ...] = ()) -> Recognition:
        self.asked += 1
        return Recognition(self.text, (5, 6), self.certainty, self.encode(samples))

    def encode(self, samples: Samples) -> Array:
        return np.zeros((samples.size // 384, WIDTH), np.float32)


@dataclass
class Spelling:
    """A speller that spells all it hears alike, in so many vectors."""

    letters: str | None = "ni hao"
    count: int = 7
    certainty: float = 1.0

    def spell(self, encoded: Sequence[Array]) -> SpelledChinese | None:
        if self.letters is None:
            return None
        return SpelledChinese(
            self.letters, self.certainty, np.zeros((2 * self.count, 29), np.float32)
        )

    def vectors(self, spelling: SpelledChinese, quiet: int) -> Array:
        """A vector for each two frames of letters, and for each 80 ms of silence."""
        width = tiny_config(tiny_tokenizer()).language.width
        count = len(spelling.scores) // 2 + quiet // (HEAR_RATE * 8 // 100)
        return np.full((count, width), 0.25, np.float32)


def memory(
    parts: Parts, certainty: float | None, speller: Spelling | None = None
) -> tuple[PromptMemory, NanoPrompt]:
    """A stream of the tiny model that reads words."""
    networks = replace(
        torch_networks(replace(parts, config=replace(parts.config, reads_words=True))),
        recogniser=None if certainty is None else Saying(certainty),
        speller=speller,  # type: ignore[arg-type]
    )
    stream = NanoModel(networks, None, lambda: None).remember()  # type: ignore[arg-type, return-value]
    for _ in stream.begin(Conversation()):
        continue
    return stream, networks.prompt


def sound(chunks: float) -> Samples:
    count = round(chunks * HEAR_CHUNK)
    return np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)


def ids_of(stream: PromptMemory) -> list[int]:
    return [
        number
        for piece in stream.state.talk.line.pieces
        if isinstance(piece, tuple)
        for number in piece
    ]


def test_at_a_pause_the_words_stand_behind_the_sound(parts: Parts) -> None:
    stream, prompt = memory(parts, SURE)
    stream.hear(sound(4.5))
    verdict = stream.flush()
    assert verdict.words == WORDS
    ids = prompt.recognised(WORDS)
    assert ids and ids_of(stream)[-len(ids) :] == ids


def test_going_on_takes_the_words_back(parts: Parts) -> None:
    stream, prompt = memory(parts, SURE)
    stream.hear(sound(4.5))
    stream.flush()
    stream.hear(sound(2))
    assert not set(prompt.recognised(WORDS)) & set(ids_of(stream))
    other, _ = memory(parts, SURE)
    other.hear(sound(4.5))
    other.hear(sound(2))
    assert stream.flush() == other.flush()


def test_while_somebody_speaks_the_sound_is_judged_alone(parts: Parts) -> None:
    stream, _ = memory(parts, SURE)
    plain, _ = memory(parts, None)
    verdict, alone = stream.hear(sound(4.5)), plain.hear(sound(4.5))
    assert verdict.words == WORDS
    assert (verdict.query, verdict.noise) == (alone.query, alone.noise)


@pytest.mark.parametrize(("level", "knows"), [(0.01, True), (1.0, False)])
def test_until_somebody_goes_on_every_verdict_in_a_pause_knows_the_words(
    parts: Parts, level: float, knows: bool
) -> None:
    stream, prompt = memory(parts, SURE)
    plain, _ = memory(parts, None)
    for each in (stream, plain):
        each.hear(sound(4.5))
        each.flush()
    more = level * sound(2)
    verdict, alone = stream.hear(more), plain.hear(more)
    assert (verdict.query != pytest.approx(alone.query, abs=1e-4)) is knows
    assert not set(prompt.recognised(WORDS)) & set(ids_of(stream))


@pytest.mark.parametrize("certainty", [NONE, None])
def test_what_is_not_english_gets_the_models_own_words(
    parts: Parts, certainty: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, prompt = memory(parts, certainty)
    monkeypatch.setattr(PromptMemory, "_dictated", lambda *_: "你好")
    monkeypatch.setattr("models.engines.memory.NOISE", 3)
    stream.hear(sound(8))
    assert stream.flush().words == "你好"
    assert not ids_of(stream)[-1:] == prompt.dictation()


def test_dictation_is_bounded_and_leaves_no_trace(parts: Parts) -> None:
    stream, prompt = memory(parts, None)
    plain, _ = memory(parts, None)
    for each in (stream, plain):
        each.hear(sound(8))
    line = stream.state.talk.line
    said = stream._dictated(line.plus(prompt.dictation()), "letters")
    assert said == stream._dictated(line.plus(prompt.dictation()), "letters")
    again, expected = stream.flush(), plain.flush()
    assert (again.query, again.noise) == pytest.approx((expected.query, expected.noise))


def test_a_kept_turn_is_read_again_with_its_words(parts: Parts) -> None:
    stream, _ = memory(parts, SURE)
    stream.hear(sound(4.5))
    words = stream.flush().words
    stream.end_segment()
    embedded = stream.embedded()
    fresh, _ = memory(parts, SURE)
    for _ in fresh.reading(UserSound(embedded=embedded, words=words)):
        continue
    assert ids_of(fresh) == ids_of(stream)
    assert fresh.state.talk.line.length == stream.state.talk.line.length


def test_weights_that_never_learned_words_read_none(parts: Parts) -> None:
    networks = replace(torch_networks(parts), recogniser=Saying(SURE))
    stream = NanoModel(networks, None, lambda: None).remember()  # type: ignore[arg-type, return-value]
    stream.hear(sound(4.5))
    stream.flush()
    assert not set(networks.prompt.recognised(WORDS)) & set(ids_of(stream))


def test_a_cascade_has_its_own_words_and_nano_judges_the_sound_alone() -> None:
    folder = Path(__file__).parents[3] / "models" / "nano"
    assert Bundle.read(folder).config.reads_words
    bundle = cascade.load(folder, ()).bundle
    assert bundle.recogniser is None and not bundle.config.reads_words


def vectors_in(stream: PromptMemory) -> int:
    return sum(len(feature) for _, feature in stream.state.talk.line.features)


def test_at_a_pause_chinese_stands_as_it_was_spelled(parts: Parts) -> None:
    stream, _ = memory(parts, NONE, Spelling())
    stream.hear(sound(8))
    assert vectors_in(stream) > 7  # its own encoder's
    stream.flush()
    assert vectors_in(stream) == 7
    stream.end_segment()
    embedded = stream.embedded()
    assert embedded is not None and np.all(embedded == np.float32(0.25))


def test_going_on_takes_what_was_spelled_back(parts: Parts) -> None:
    stream, _ = memory(parts, NONE, Spelling())
    stream.hear(sound(8))
    stream.flush()
    stream.hear(sound(2))
    assert vectors_in(stream) > 7
    stream.flush()
    assert vectors_in(stream) == 7


def test_what_stood_before_the_sound_stays_there(parts: Parts) -> None:
    stream, _ = memory(parts, NONE, Spelling())
    for _ in stream.reading(UserText("hello")):
        continue
    before = ids_of(stream)
    stream.hear(sound(8))
    stream.flush()
    assert ids_of(stream)[: len(before)] == before
    assert vectors_in(stream) == 7


@pytest.mark.parametrize(
    ("certainty", "speller"),
    [
        (SURE, Spelling()),
        (NONE, Spelling(None)),
        (None, Spelling()),
        (NONE, Spelling(certainty=0.0)),  # its own encoder is surer
    ],
)
def test_what_is_english_or_no_pinyin_stands_as_it_was_heard(
    parts: Parts, certainty: float | None, speller: Spelling
) -> None:
    stream, _ = memory(parts, certainty, speller)
    stream.hear(sound(8))
    stream.flush()
    assert vectors_in(stream) > 7


def test_once_it_is_known_to_be_foreign_no_words_are_guessed(parts: Parts) -> None:
    saying = Saying(NONE)
    networks = replace(
        torch_networks(replace(parts, config=replace(parts.config, reads_words=True))),
        recogniser=saying,
        speller=Spelling(),  # type: ignore[arg-type]
    )
    stream = NanoModel(networks, None, lambda: None).remember()  # type: ignore[arg-type, return-value]
    stream.hear(sound(8))
    known = saying.asked
    stream.hear(sound(4))
    assert stream.flush().words
    assert saying.asked == known
    assert vectors_in(stream) == 7


def test_in_the_same_pause_the_verdict_knows_the_chinese(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = memory(parts, NONE, Spelling())
    monkeypatch.setattr(PromptMemory, "_dictated", lambda *_: "ni hao")
    stream.hear(sound(8))
    first = stream.flush()
    later = stream.hear(0.01 * sound(2))
    assert later.words == first.words == "ni hao"
    assert vectors_in(stream) > 7


def test_chinese_is_judged_as_it_is_spelled_while_somebody_speaks(parts: Parts) -> None:
    spelling = Spelling()
    stream, _ = memory(parts, NONE, spelling)
    stream.hear(sound(4))  # not enough to know that it is foreign
    spelling.letters = "zai jian"
    verdict = stream.hear(sound(6))
    stream.hear(sound(2))
    assert stream.hear(sound(2)).words == "zai jian" != verdict.words
    assert vectors_in(stream) > 7  # what is remembered is still its own encoder's


def test_the_silence_behind_chinese_is_heard(parts: Parts) -> None:
    stream, _ = memory(parts, NONE, Spelling())
    stream.hear(sound(8))
    stream.flush()
    spelled = vectors_in(stream)
    stream.hear(0.001 * sound(3))
    stream.flush()
    assert vectors_in(stream) == spelled + 6  # two a chunk
