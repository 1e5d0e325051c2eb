"""tests: the grammar writes the same tokens as the memories of the other engines."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer

from models.base import (
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    UserSound,
    UserText,
)
from models.engines.vllm.grammar import Grammar, NanoGrammar, PromptState, VitaGrammar
from models.engines.vllm.prompt import Feature, Prompt
from models.vita.nano_prompt import NanoPrompt
from models.vita.prompt import TEMPLATES, VitaPrompt
from tests.models.engines.conftest import tiny_tokenizer
from tests.models.vita.released_folder import tokenizer

SOUND = np.ones((2, 8), np.float32)


@pytest.fixture(scope="module")
def nano() -> NanoPrompt:
    return NanoPrompt(tiny_tokenizer())


@pytest.fixture(scope="module")
def vita() -> VitaPrompt:
    made: Tokenizer = tokenizer(TEMPLATES["vita-1.5"])
    return VitaPrompt(made, TEMPLATES["vita-1.5"])


def read(grammar: Grammar, *items: Item) -> PromptState:
    talk = PromptState(Prompt())
    for item in items:
        talk = grammar.read(talk, item)
    return talk


def test_a_typed_turn_of_nano(nano: NanoPrompt) -> None:
    talk = read(NanoGrammar(nano), Instructions("be brief"), UserText("hello"), UserText(" there"))
    ids = [*nano.opening("be brief"), *nano.user(), *nano.encode("hello"), *nano.encode(" there")]
    assert talk.line.ids == ids
    answered = NanoGrammar(nano).read(talk, AssistantText("paris", cut=True))
    assert answered.line.ids == [*ids, *nano.state(False), *nano.answer("paris", cut=True)]
    assert (answered.open, answered.answering) == (False, False)


def test_a_spoken_turn_of_nano(nano: NanoPrompt) -> None:
    grammar = NanoGrammar(nano)
    talk = grammar.heard(grammar.heard(PromptState(Prompt()), SOUND), 2 * SOUND)
    assert [type(piece) for piece in talk.line.pieces] == [tuple, Feature, Feature]
    assert [len(piece.vectors) for piece in talk.turn] == [2, 2]
    begun = grammar.answering(talk)
    assert begun.line.ids[-1] == nano.state(True)[0]
    broken = grammar.opened(begun.plus(nano.encode("it is")))
    assert broken.line.ids[-3:] == [nano.ids["<cut>"], nano.ids["<end>"], nano.ids["<user>"]]
    assert broken.turn == ()


def test_calls_of_nano(nano: NanoPrompt) -> None:
    call, output = FunctionCall("set", '{"minutes": 3}'), FunctionOutput("1", "two")
    talk = read(NanoGrammar(nano), UserText("set timer"), call, output)
    tail = [*nano.state(False), *nano.call(call), *nano.result("two")]
    assert talk.line.ids == [*nano.user(), *nano.encode("set timer"), *tail]
    assert talk.open


def test_turns_of_vita(vita: VitaPrompt) -> None:
    grammar = VitaGrammar(vita)
    talk = grammar.heard(read(grammar, Instructions("be brief")), SOUND)
    head = [*vita.opening("be brief"), *vita.user()]
    assert talk.line.ids == [*head, 0, 0]
    begun = grammar.answering(talk)
    assert begun.line.ids == [*head, 0, 0, *vita.closing(), *vita.state(True)]
    answered = grammar.answered(begun.plus(vita.encode("hello")))
    again = grammar.typed(answered, "what")
    tail = [*vita.encode("hello"), *vita.ending(), *vita.user(), *vita.encode("what")]
    assert again.line.ids == [*begun.line.ids, *tail]
    assert (again.open, again.spoken) == (True, False)


def test_what_is_no_words_is_refused(nano: NanoPrompt) -> None:
    with pytest.raises(ValueError, match="UserSound"):
        NanoGrammar(nano).read(PromptState(Prompt()), UserSound())
