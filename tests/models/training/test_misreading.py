"""Tests of the words that training puts behind a sound, and of the dictations it asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from models.training.augmentation import Strength
from models.training.clips import Clip, ClipStore
from models.training.hearing import Ear, ListeningResult
from models.training.material import WrittenMaterial
from models.training.misreading import Misreading, mistakes
from models.training.open_questions import QUESTIONS
from models.training.sequences import DECISION, NOTHING, Sequence, Writer
from models.training.simulation import Simulated, simulate
from models.training.skills.exchange import Exchange
from models.training.skills.mandarin.open_ended import open_ended as open_ended_chinese
from models.training.skills.open_ended import open_ended
from models.training.writing_out import written_out
from models.vita.nano_prompt import NOISE, QUERY, UNFINISHED, NanoPrompt
from models.vita.spoken_form import spoken_form

TOKENIZER = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"


@pytest.fixture(scope="module")
def prompt() -> NanoPrompt:
    return NanoPrompt.read(TOKENIZER)


def heard(text: str, kind: str = "query", recognised: str = "") -> ListeningResult:
    clip = Clip(0, 200, text, kind, "nobody", 20, 160, recognised=recognised)
    return ListeningResult(np.zeros((200, 80), np.float32), 20, 160, clip)


def sound(text: str) -> Simulated:
    return simulate(np.random.default_rng(0), text)


def test_mistakes_are_pairs_of_words() -> None:
    found = mistakes("what is the capital of Spain", "What is the couple of spain?")
    assert found == [("capital", "couple")]


def test_most_words_are_right_and_some_are_not() -> None:
    misreading = Misreading(0, seen={"capital": ["couple"]})
    text = "what is the capital of spain"
    drawn = Counter(misreading.changed(text) for _ in range(400))
    assert 100 < drawn[text] < 380
    assert any("couple" in words for words in drawn)


def test_what_moonshine_heard_is_used_and_learned_from() -> None:
    clips = [
        Clip(0, 9, "count to nine", "query", "a", 0, 9, recognised="count to line"),
        Clip(0, 9, "你好", "query", "a", 0, 9, recognised="knee how"),
    ]
    misreading = Misreading.of([ClipStore(clips, np.zeros((1, 80), np.float16), {})], 0)
    assert any("line" in misreading.changed("is it nine or ten") for _ in range(300))
    assert {misreading.words(heard("再见")) for _ in range(300)} == {"", "knee how"}
    own = {misreading.words(heard("", "order", "a small latte")) for _ in range(50)}
    assert own == {"", "a small latte"}


def test_unclear_letters_come_with_their_words() -> None:
    misreading, unclear = Misreading(1), Simulated(np.zeros((4, 29), np.float32), 1, 3, "go on")
    given = [misreading.words(unclear) for _ in range(100)]
    assert "" in given
    unclear = Simulated(unclear.letters, 1, 3, "go on", unclear=True)
    assert all(misreading.words(unclear) for _ in range(100))


@pytest.mark.parametrize("state", [QUERY, UNFINISHED, NOISE])
def test_a_verdict_is_wanted_behind_the_words(prompt: NanoPrompt, state: str) -> None:
    writer, sequence = Writer(prompt, 0, lambda _: "What is that?"), Sequence()
    spoken = sound("what is that")
    if state == QUERY:
        writer.exchange(sequence, Exchange("what is that", "A cat.", "animals"), spoken)
    elif state == NOISE:
        writer.refuse(sequence, spoken)
    else:
        broken = Simulated(spoken.letters, spoken.onset, spoken.end, "what is", whole=False)
        writer.leave(sequence, broken)
    ids = prompt.recognised("What is that?")
    at = [sequence.ids[i : i + len(ids)] for i in range(len(sequence))].index(ids) + len(ids) - 1
    assert sequence.states[at] == prompt.ids[state]
    assert sequence.stakes[at] == DECISION and len(sequence.stakes) == len(sequence)
    if state == QUERY:
        assert sequence.ids[at + 1] == prompt.ids[QUERY]


def test_a_dictation_wants_the_words_and_an_end(prompt: NanoPrompt) -> None:
    sequence = Sequence()
    Writer(prompt, 0).dictate(sequence, sound("where are you"), "where are you")
    wanted = [token for token in sequence.targets if token != NOTHING]
    assert prompt.decode(wanted) == "Where are you?"
    assert wanted[-1] == prompt.ids["<end>"]
    first = sequence.targets.index(wanted[0])
    assert sequence.ids[first] == prompt.dictation()[0]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("what can i do", "What can I do?"),
        ("i'm here", "I'm here."),
        ("一加一等于几", "一加一等于几？"),
        ("讲个故事", "讲个故事。"),
        ("", ""),
    ],
)
def test_words_are_written_out_as_a_person_would(text: str, written: str) -> None:
    assert written_out(text) == written


def test_written_material_has_words_and_dictations(prompt: NanoPrompt) -> None:
    material = WrittenMaterial(prompt, 3)
    made = [material() for _ in range(200)]
    assert any(prompt.recognised("a")[0] in one.ids for one in made)
    assert any(prompt.dictation()[0] in one.ids for one in made)


def test_open_questions_of_training_are_not_those_of_the_evaluation() -> None:
    random = Random(0)
    learned = {spoken_form(open_ended(random).question) for _ in range(20_000)}
    kept_back = {spoken_form(line) for line in QUESTIONS.read_text().splitlines()}
    assert len(kept_back) > 200 and len(learned) > 2000
    assert not learned & kept_back
    assert len({open_ended_chinese(random).question for _ in range(5_000)}) > 300


def test_misheard_clips_keep_their_words_and_lose_their_sound(prompt: NanoPrompt) -> None:
    clips = [
        Clip(0, 200, "what is that", "query", "a", 20, 180),
        Clip(200, 300, "tell me a story", "query", "b", 20, 280),
    ]
    features = np.random.default_rng(0).normal(0, 1, (500, 80)).astype(np.float16)
    ear = Ear([ClipStore(clips, features, {})], Strength(), 0)
    for whole in (True, False):
        said = ear.hear(0, 0, whole=whole)
        misheard = ear.mishear(said, 0, 1)
        assert misheard.clip is clips[0] and misheard.unclear and misheard.whole is whole
        assert misheard.ends == () and len(misheard.features) != len(said.features)
        words = Misreading(0).words(misheard)
        assert words and (len(words.split()) == 3) is whole


def test_a_sound_that_nobody_understands_is_a_query_by_its_words_alone(prompt: NanoPrompt) -> None:
    spoken = replace(sound("what is that"), unclear=True)
    asked, refused = Sequence(), Sequence()
    writer = Writer(prompt, 0, lambda _: "What is that?")
    writer.exchange(asked, Exchange("what is that", "A cat.", "animals"), spoken)
    writer.refuse(refused, spoken)
    wanted = [
        [(each, stake) for each, stake in zip(one.states, one.stakes, strict=True) if each >= 0]
        for one in (asked, refused)
    ]
    assert wanted[0] == [(prompt.ids[QUERY], DECISION)]
    assert {state for state, _ in wanted[1]} == {prompt.ids[NOISE]} and len(wanted[1]) > 10
