"""What stands before a sound in training is what the monitor has read when it hears one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from models.training.preceding import Preceding, PrecedingShares, broken_into
from models.training.sequences import NOTHING, Writer
from models.training.skills.exchange import Exchange
from models.vita.nano_prompt import NanoPrompt

TOKENIZER = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"
TOLD = Exchange("tell me", "A fox lived near a hill.", "stories")


@pytest.fixture(scope="module")
def prompt() -> NanoPrompt:
    return NanoPrompt.read(TOKENIZER)


@pytest.mark.parametrize("answer", [TOLD.answer, "从前有一只狐狸。"])
def test_only_the_first_words_were_heard(answer: str) -> None:
    random = Random(1)
    heard = {broken_into(random, Exchange("q", answer, "stories")).answer for _ in range(50)}
    assert len(heard) > 3
    assert all(answer.startswith(text) and text not in ("", answer) for text in heard)


@pytest.mark.parametrize(
    ("shares", "turns", "cuts"),
    [
        (PrecedingShares(), 0, 0),
        (PrecedingShares(whole=1.0), 60, 0),
        (PrecedingShares(cut=1.0), 60, 50),
    ],
)
def test_shares(prompt: NanoPrompt, shares: PrecedingShares, turns: int, cuts: int) -> None:
    writer, random = Writer(prompt, 0), Random(2)
    preceding = Preceding(writer, random, lambda text: None, chinese=0.5)
    written = []
    for _ in range(60):
        sequence = writer.opening(())
        preceding.write(sequence, shares)
        written.append(sequence)
    assert sum(prompt.ids["<user>"] in one.ids for one in written) == turns
    cut = [one for one in written if prompt.ids["<cut>"] in one.ids]
    assert len(cut) >= cuts and (cuts or not cut)  # stop words have no answer to cut
    assert all(set(one.targets) == {NOTHING} for one in cut)


def test_language_of_what_follows(prompt: NanoPrompt) -> None:
    writer = Writer(prompt, 0)
    preceding = Preceding(writer, Random(3), lambda text: None, chinese=0.0)
    sequence = writer.opening(())
    preceding.write(sequence, PrecedingShares(cut=1.0), chinese=True)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in prompt.decode(sequence.ids))
