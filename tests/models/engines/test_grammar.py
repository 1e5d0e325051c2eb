"""What each family of models reads of a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from models.base import (
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Tool,
    UserSound,
    UserText,
)
from models.engines.grammar import Grammar, PromptState
from models.engines.nano_grammar import NanoGrammar
from models.engines.prompt import Feature, features_of
from models.engines.vita_grammar import VitaGrammar
from models.vita.nano_prompt import NanoPrompt
from models.vita.prompt import TEMPLATES, VitaPrompt
from models.vita.system_prompts import trained_prompts
from tests.models.engines.conftest import tiny_tokenizer
from tests.models.vita.released_folder import tokenizer

NANO = Path(__file__).parents[3] / "models" / "nano"


def sound(level: float = 1.0) -> list[Feature]:
    return features_of("audio", np.full((2, 8), level, np.float32))


def picture(level: float) -> list[Feature]:
    return features_of("image", np.full((3, 8), level, np.float32))


@pytest.fixture(scope="module")
def nano() -> NanoPrompt:
    return NanoPrompt(tiny_tokenizer())


@pytest.fixture(scope="module")
def vita() -> VitaPrompt:
    made: Tokenizer = tokenizer(TEMPLATES["vita-1.5"])
    return VitaPrompt(made, TEMPLATES["vita-1.5"])


def read(grammar: Grammar, *items: Item) -> PromptState:
    talk = grammar.begun("")
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
    talk = grammar.heard(grammar.heard(grammar.begun(""), sound()), sound(2))
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
    talk = grammar.heard(grammar.begun("be brief"), sound())
    head = [*vita.opening("be brief"), *vita.user()]
    assert talk.line.ids == [*head, 0, 0]
    assert grammar.judged(talk).ids == [*head, 0, 0, *vita.closing()]
    begun = grammar.answering(talk)
    assert begun.line.ids == [*head, 0, 0, *vita.closing(), *vita.state(True)]
    answered = grammar.answered(begun.plus(vita.encode("hello")))
    again = grammar.typed(answered, "what")
    tail = [*vita.encode("hello"), *vita.ending(), *vita.user(), *vita.encode("what")]
    assert again.line.ids == [*begun.line.ids, *tail]
    assert (again.open, again.spoken) == (True, False)


def test_a_client_s_instructions_stand_behind_the_model_s_own(vita: VitaPrompt) -> None:
    ids = VitaGrammar(vita).begun("Be brief.").line.ids
    whole = vita.decode(ids).removeprefix("system\n")
    assert whole.strip() == f"{trained_prompts().sound}\nBe brief."


@pytest.mark.parametrize("order", ["psp", "pps", "spp"])
def test_pictures_stand_before_the_sound_with_one_line_break(vita: VitaPrompt, order: str) -> None:
    grammar = VitaGrammar(vita)
    talk: PromptState = grammar.begun("")
    level = 0.0
    for kind in order:
        level += 1
        if kind == "p":
            talk = grammar.seen(talk, picture(level))
        else:
            talk = grammar.heard(talk, sound(level))
    opening = vita.opening("", (), "image")
    assert talk.line.ids == [*opening, *vita.user(), *[0] * 6, *vita.encode("\n"), 0, 0]
    kinds = [feature.modality for _, feature in talk.line.features]
    assert kinds == ["image", "image", "audio"]
    first, second = (feature.vectors[0, 0] for _, feature in talk.line.features[:2])
    assert first < second  # in the order of their arrival


def test_what_is_seen_chooses_the_system_prompt(vita: VitaPrompt) -> None:
    """A first picture in the second turn writes the beginning anew; the first turn stays."""
    grammar = VitaGrammar(vita)
    turn = grammar.read(grammar.typed(grammar.begun("", ()), "hello"), AssistantText("paris"))
    before = turn.line.behind(len(vita.opening()))
    seen = grammar.seen(turn, picture(1), is_frame=True)
    assert seen.line.ids[: len(vita.opening("", (), "video"))] == vita.opening("", (), "video")
    assert seen.line.behind(len(vita.opening("", (), "video")))[: len(before)] == before
    still = grammar.seen(grammar.answered(grammar.answering(seen)), picture(2))
    assert still.line.pieces[0] == seen.line.pieces[0]  # a still picture in a video


def many_functions() -> tuple[Tool, ...]:
    others = tuple(Tool(f"get_record_{n}", "Looks up a guest.") for n in range(90))
    asked: dict[str, Any] = {"properties": {"minutes": {}, "label": {}, "melody": {}}}
    return (*others, Tool("set_timer", "Rings after some minutes.", asked), *others)


def opening_of(prompt: NanoPrompt, talk: PromptState) -> str:
    (ids, *_) = talk.line.pieces
    assert not isinstance(ids, Feature)
    return prompt.decode(ids)


def test_nano_is_shown_the_functions_that_a_turn_is_about() -> None:
    prompt = NanoPrompt.read(NANO / "tokenizer.json", capacity=1024)
    grammar = NanoGrammar(prompt, reads_words=True)
    begun = grammar.begun("be brief", many_functions())
    assert "set_timer" not in opening_of(prompt, begun)
    typed = grammar.typed(begun, "Set two timers for me")
    assert typed.line.ids[: begun.line.length] == begun.line.ids  # only the answer is worth it
    asked = grammar.answering(typed)
    assert "set_timer" in opening_of(prompt, asked)
    assert opening_of(prompt, asked).startswith("be brief")
    ids = [*prompt.user(), *prompt.encode("Set two timers for me"), *prompt.state(False)]
    assert asked.line.ids[-len(ids) :] == ids
    spoken = grammar.heard(grammar.answered(asked), sound())
    assert "set_timer" in opening_of(prompt, grammar.answering(spoken))  # no words: as it was
    named = grammar.recognised(spoken, "look up record 7 of the guest")
    assert "get_record_7" in opening_of(prompt, grammar.answering(named))
    assert "set_timer" not in opening_of(prompt, grammar.answering(named))


def test_nano_is_shown_all_functions_for_which_there_is_room() -> None:
    prompt = NanoPrompt.read(NANO / "tokenizer.json", capacity=1024)
    grammar, tools = NanoGrammar(prompt), (Tool("lamp", "switches it"), Tool("clock"))
    asked = grammar.answering(grammar.typed(grammar.begun("", tools), "what time is it"))
    assert asked.line.pieces[0] == tuple(prompt.opening("", tools))


def test_what_is_told_for_one_answer_is_not_kept(vita: VitaPrompt) -> None:
    grammar = VitaGrammar(vita)
    talk = grammar.heard(grammar.begun(""), sound())
    told, kept = grammar.answering(talk, "In one word."), grammar.answering(talk)
    assert told.line.length > kept.line.length
    assert "In one word." in vita.decode(told.line.ids)
    assert "In one word." not in vita.decode(kept.line.ids)


def test_what_is_no_words_is_refused(nano: NanoPrompt) -> None:
    with pytest.raises(ValueError, match="UserSound"):
        NanoGrammar(nano).read(NanoGrammar(nano).begun(""), UserSound())
