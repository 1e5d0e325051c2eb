"""Conversations become sequences in which every prediction stands where the model makes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.training.augmentation import Strength, surroundings, warp_frequency
from models.training.clips import Clip
from models.training.hearing import ListeningResult, word_ends
from models.training.instruction import batches
from models.training.material import WrittenMaterial, restored
from models.training.sequences import (
    NOTHING,
    Sequence,
    Writer,
    state_targets,
    vector_count,
    word_targets,
)
from models.training.simulation import simulate
from models.training.skills.exchange import Exchange, ToolCall
from models.vita.audio_encoder import encoder_frames
from models.vita.nano_prompt import NanoPrompt

TOKENIZER = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"
CLIP = Clip(0, 200, "what is that", "query", "nobody", 20, 160)


@pytest.fixture(scope="module")
def prompt() -> NanoPrompt:
    return NanoPrompt.read(TOKENIZER)


def heard(frames: int = 200) -> ListeningResult:
    return ListeningResult(np.zeros((frames, 80), np.float32), 20, 160, CLIP)


def predicted(prompt: NanoPrompt, sequence: Sequence) -> str:
    return prompt.decode([t for t in sequence.targets if t != NOTHING and t > 15])


@pytest.mark.parametrize("frames", [40, 163, 200, 301])
def test_as_many_vectors_as_the_adapter_makes(frames: int) -> None:
    expected = (int(encoder_frames(torch.tensor(frames))) + 1) // 2
    assert vector_count(heard(frames)) == expected


def test_verdicts_follow_the_voice(prompt: NanoPrompt) -> None:
    targets = state_targets(heard(), True, prompt.ids)
    query, noise, _, unfinished = prompt.states
    assert targets[0] == noise and targets[-1] == query
    assert {targets[i] for i in range(4, 19)} == {unfinished}
    assert targets.index(query) * 8 + 6 >= 170
    assert set(state_targets(heard(), False, prompt.ids)) == {noise}


def test_answer_is_predicted_after_the_state_token(prompt: NanoPrompt) -> None:
    sequence = Sequence()
    Writer(prompt, 0).exchange(sequence, Exchange("hm", "The sky is blue.", "colours"), heard())
    state = len(sequence) - len(prompt.answer("The sky is blue.")) - 1
    assert sequence.ids[state] == prompt.ids["<1>"]
    assert sequence.states[state - 1] == prompt.ids["<1>"]
    assert sequence.targets[state] == prompt.encode("The sky is blue.")[0]
    assert sequence.targets[-2] == prompt.ids["<end>"]
    assert predicted(prompt, sequence) == "The sky is blue."
    assert sequence.places == [1] and sequence.ids[0] == prompt.ids["<user>"]


def test_typed_turn_is_text(prompt: NanoPrompt) -> None:
    sequence = Sequence()
    Writer(prompt, 0).exchange(sequence, Exchange("hello", "Hello.", "small talk"), None)
    place = sequence.ids.index(prompt.ids["<3>"])
    assert sequence.states[place - 1] == prompt.ids["<3>"]


def test_cut_answers_teach_nothing(prompt: NanoPrompt) -> None:
    sequence = Sequence()
    told = Exchange("tell me", "A fox lived", "stories", cut=True)
    Writer(prompt, 0).exchange(sequence, told, None)
    assert set(sequence.targets) == {NOTHING}
    assert sequence.ids[-2:] == [prompt.ids["<cut>"], prompt.ids["<end>"]]


def test_calls_and_their_results(prompt: NanoPrompt) -> None:
    call = ToolCall("clock", "{}")
    exchange = Exchange("time", "", "functions", call=call, result="09:05", report="It is nine.")
    sequence = Sequence()
    Writer(prompt, 0).exchange(sequence, exchange, None)
    assert predicted(prompt, sequence) == "clock {}It is nine."
    assert sequence.ids[sequence.ids.index(prompt.ids["<result>"]) + 1 :][:5] == prompt.encode(
        "09:05"
    )


def test_words_stand_where_they_are_over(prompt: NanoPrompt) -> None:
    features = np.zeros((200, 80), np.float32)
    spoken = ListeningResult(features, 20, 160, CLIP, ends=word_ends(CLIP.text, (20, 70, 110), 160))
    targets = word_targets(spoken, prompt)
    places = [place for place, token in enumerate(targets) if token != NOTHING]
    assert prompt.decode([targets[place] for place in places]) == "what is that"
    assert [8 * place + 6 for place in places] == [86, 126, 174]  # ends at 70, 110, 160
    assert set(word_targets(heard(), prompt)) == {NOTHING}


def test_simulated_letters_are_probabilities() -> None:
    made = simulate(np.random.default_rng(0), "what is the capital of peru")
    assert np.allclose(made.letters.sum(axis=1), 1, atol=1e-5)
    assert 0 < made.onset < made.end <= len(made.letters)


def test_batches_keep_to_their_size(prompt: NanoPrompt) -> None:
    source = batches(WrittenMaterial(prompt, 1), tokens=900, seed=0)
    for _ in range(20):
        batch = next(source)
        assert len(batch) == 1 or len(batch) * max(map(len, batch)) <= 900


def test_exchanges_come_back_from_a_corpus() -> None:
    entry = {"question": "a", "answer": "b", "skill": "c", "clip": 3,
             "call": {"name": "n", "arguments": "{}"}}  # fmt: skip
    assert restored(entry) == Exchange("a", "b", "c", call=ToolCall("n", "{}"))


def test_no_augmentation_beyond_its_strength() -> None:
    random = np.random.default_rng(0)
    features = random.normal(8, 3, (60, 80)).astype(np.float32)
    still = Strength(0, 0, 0, 0, 0, 0, 0, 0)
    changed = surroundings(random, features, still) - features
    assert float(np.median(np.ptp(changed, axis=0))) < 3.0  # a gain and a faint floor only
    assert np.allclose(warp_frequency(features, 1.0), features)
