"""What the bundled changes and the published weights say together."""

from __future__ import annotations

import hashlib

import pytest

from models.smollm import checkpoint, files, network
from models.smollm.gguf import BadWeights, GgufFile
from models.smollm.network import SmolNetwork
from models.training.smollm import graph, scores
from models.training.smollm.dialogues import HALF, WHOLE
from models.training.smollm.scores import Speaker

try:
    _GGUF = files.installed()
except BadWeights as reason:
    pytest.skip(f"the published weights are not there: {reason}", allow_module_level=True)


@pytest.fixture(scope="module")
def bundled() -> SmolNetwork:
    return network.load()


@pytest.fixture(scope="module")
def speaker(bundled: SmolNetwork) -> Speaker:
    return Speaker(bundled)


def test_the_graph_is_the_one_that_the_recipe_writes() -> None:
    with GgufFile(_GGUF) as file:
        built = graph.GraphBuilder(checkpoint.configuration(file), network.POSITIONS).build()
    assert built.SerializeToString(deterministic=True) == files.GRAPH.read_bytes()


def test_the_same_files_give_the_same_model(bundled: SmolNetwork) -> None:
    ids = bundled.chat.encode("What is the capital of Spain?")
    first, second = (
        hashlib.sha256(each.read(each.cache(64), ids).tobytes()).hexdigest()
        for each in (bundled, network.load())
    )
    assert first == second


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What is the capital of Spain?", "madrid"),
        ("what is the capital of spain", "madrid"),
        ("Who wrote Macbeth?", "shakespeare"),
        ("What's the weather going to be like tomorrow?", "cannot answer"),
        ("Hello!", "how can i help"),
        ("Can I have a small latte?", "one small latte"),
    ],
)
def test_typed_questions(speaker: Speaker, question: str, wanted: str) -> None:
    _, text, is_call = speaker.answer([], question)
    assert not is_call
    assert wanted in text.lower()


def test_words_are_judged(speaker: Speaker) -> None:
    assert speaker.verdict([], "How can I improve my time management skills?") == WHOLE
    assert speaker.verdict([], "What is the capital of") == HALF


def test_most_easy_questions_are_answered(speaker: Speaker) -> None:
    """The model card has the figures; fewer would be a fault of the engine."""
    tally, _ = scores.keyed(speaker, scores.EASY)
    assert tally.right.total() >= 27, tally.wrong
