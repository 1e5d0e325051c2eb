"""A conversation that has gone on for a while is practised like one that begins."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from models.training.earlier import MOST_TURNS, ROOM, SHARE, Asked, EarlierTurns
from models.training.material import WrittenMaterial
from models.training.sequences import NOTHING, Sequence, Writer
from models.training.simulation import simulate
from models.training.skills.exchange import Exchange
from models.vita.nano_prompt import QUERY, NanoPrompt

TOKENIZER = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"
WORDS = "what is that"


@pytest.fixture(scope="module")
def prompt() -> NanoPrompt:
    return NanoPrompt.read(TOKENIZER)


def written(prompt: NanoPrompt, seed: int, chinese: float = 0.3) -> list[tuple[Sequence, int]]:
    """Conversations of earlier turns alone, each with how many were Chinese."""
    made = []
    for number in range(200):
        asked: list[bool] = []

        def ask(is_chinese: bool, asked: list[bool] = asked) -> Asked:
            asked.append(is_chinese)
            sound = simulate(np.random.default_rng(0), WORDS)
            return Exchange(WORDS, "It is a cat.", "animals"), sound

        writer, sequence = Writer(prompt, 0, lambda _: WORDS), Sequence()
        EarlierTurns(writer, Random(seed + number), ask, chinese).write(sequence)
        made.append((sequence, sum(asked)))
    return made


def turns(prompt: NanoPrompt, sequence: Sequence) -> int:
    return sequence.ids.count(prompt.user()[0])


def test_some_conversations_are_long_and_none_is_longer_than_a_stream(prompt: NanoPrompt) -> None:
    counts = [turns(prompt, sequence) for sequence, _ in written(prompt, 0)]
    assert 0.5 * SHARE < sum(count > 0 for count in counts) / len(counts) < 1.5 * SHARE
    assert max(counts) > MOST_TURNS // 2
    assert max(len(sequence) for sequence, _ in written(prompt, 0)) < ROOM + 100


def test_every_turn_has_its_words_its_verdict_and_its_answer(prompt: NanoPrompt) -> None:
    words = prompt.recognised(WORDS)
    for sequence, _ in written(prompt, 1):
        ends = [
            at + len(words) - 1
            for at in range(len(sequence))
            if sequence.ids[at : at + len(words)] == words
        ]
        assert len(ends) == turns(prompt, sequence)
        assert all(sequence.states[end] == prompt.ids[QUERY] for end in ends)
        cuts = sequence.ids.count(prompt.ids["<cut>"])
        answers = sum(target == prompt.ids["<end>"] for target in sequence.targets)
        assert answers == len(ends) - cuts


def test_a_conversation_keeps_to_a_language_with_exceptions(prompt: NanoPrompt) -> None:
    shares = [
        chinese / count
        for sequence, chinese in written(prompt, 2, chinese=0.5)
        if (count := turns(prompt, sequence)) >= 5
    ]
    assert min(shares) < 0.2 and max(shares) > 0.8


def test_what_is_practised_stands_behind_them(prompt: NanoPrompt) -> None:
    material = WrittenMaterial(prompt, 5, typed=0.0)
    made = [material() for _ in range(120)]
    assert max(turns(prompt, one) for one in made) > 8
    assert all(any(t != NOTHING for t in (*one.targets, *one.states)) for one in made)
