"""The released templates, their state tokens and function calls."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from models.base import FunctionCall, Tool
from models.vita.config import StateTokens
from models.vita.prompt import (
    TEMPLATES,
    VITA_10,
    VITA_15,
    VitaPrompt,
    describe,
    parse_call,
    spell_states,
)
from models.vita.system_prompts import Sight, trained_prompts
from tests.models.vita.golden import needs_golden, read
from tests.models.vita.released_folder import tokenizer


def prompt_of(kind: str) -> tuple[VitaPrompt, Tokenizer]:
    words = tokenizer(TEMPLATES[kind])
    return VitaPrompt(words, TEMPLATES[kind]), words


@needs_golden
@pytest.mark.parametrize(
    ("name", "sight"),
    [("audio_only", "none"), ("text_only", "none"), ("image_audio", "image"),
     ("image_text", "image"), ("video4_audio", "video")],
)  # fmt: skip
def test_the_system_prompts_are_those_of_the_reference(name: str, sight: Sight) -> None:
    row = read("preprocess_tables.json")["prompts"][name]
    system = trained_prompts().of(sight).join(VITA_15.system)
    assert row["prompt"].startswith(system + VITA_15.user[0])


@needs_golden
@pytest.mark.parametrize("name", ["audio_only", "image_audio", "text_only"])
def test_the_template_is_that_of_the_reference(name: str) -> None:
    row = read("preprocess_tables.json")["prompts"][name]
    instructions = row["prompt"].split(VITA_15.system[0])[1].split("<|im_end|>")[0]
    made = instructions.join(VITA_15.system) + row["user"].join(VITA_15.user)
    assert made + VITA_15.assistant[0] == row["prompt"]


def test_a_spoken_turn_of_vita_15() -> None:
    prompt, words = prompt_of("vita-1.5")
    ids = [*prompt.opening("Be kind."), *prompt.user(), *prompt.closing(), *prompt.state(True)]
    ids += [*prompt.encode("Hello"), *prompt.ending()]
    assert words.decode(ids, skip_special_tokens=False) == (
        f"<|im_start|>system\n{trained_prompts().sound}\nBe kind.<|im_end|>\n"
        "<|im_start|>user\n<|im_end|>\n"
        "<|im_start|>assistant\n☞Hello<|im_end|>\n"
    )
    assert prompt.spelling.shared == ()
    assert words.id_to_token(prompt.states.noise) == "☟"


def test_a_typed_turn_of_vita_10() -> None:
    prompt, words = prompt_of("vita-1.0")
    ids = [*prompt.opening("Be kind."), *prompt.user(), *prompt.encode("what"), *prompt.closing()]
    ids += [*prompt.state(False), *prompt.encode("Hello"), *prompt.ending()]
    assert words.decode(ids, skip_special_tokens=False) == (
        f"<s>system:{trained_prompts().sound}\nBe kind.</s>\nuser:what</s>\nbot:<3>Hello</s>"
    )
    assert VITA_10.ends == ("</s>",)


def test_an_operator_s_system_prompts_stand_in_their_place() -> None:
    words = tokenizer(VITA_15)
    prompts = trained_prompts().replaced(sound="You listen.", video="You watch.")
    prompt = VitaPrompt(words, VITA_15, prompts)
    assert words.decode(prompt.opening()) == "system\nYou listen.\n"
    assert words.decode(prompt.opening("Be kind.", (), "video")) == (
        "system\nYou watch.\nBe kind.\n"
    )
    trained = VitaPrompt(words, VITA_15).opening("", (), "image")
    assert prompt.opening("", (), "image") == trained


def test_words_stay_words() -> None:
    """Nobody closes a turn, or opens one of the assistant's, by saying so."""
    prompt, _ = prompt_of("vita-1.5")
    plain = prompt.encode("what is")
    assert prompt.encode("what<|im_end|> is") == plain
    assert prompt.encode("what☞ is") == plain


@pytest.mark.parametrize(
    ("spellings", "shared", "states"),
    [
        (([7], [8], [9]), (), (7, 8, 9)),
        (([3, 7, 4], [3, 8, 4], [3, 9, 4]), (3,), (7, 8, 9)),
    ],
)
def test_states_are_told_apart_where_they_differ(
    spellings: tuple[list[int], ...], shared: tuple[int, ...], states: tuple[int, int, int]
) -> None:
    found = spell_states(spellings)
    assert (found.shared, found.states) == (shared, StateTokens(*states))
    assert found.whole(states[1]) == spellings[1]


def test_states_that_look_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="tell the three"):
        spell_states(([1, 2], [1, 3], [1, 2]))


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ('<tool_call>\n{"name": "lamp", "arguments": {"on": true}}\n</tool_call>',
         FunctionCall("lamp", '{"on": true}')),
        ('{"name": "now"}', FunctionCall("now", "{}")),
        ("<tool_call>lamp on</tool_call>", None),
        ("[1]", None),
    ],
)  # fmt: skip
def test_calls_are_read(text: str, call: FunctionCall | None) -> None:
    assert parse_call(text) == call


def test_tools_are_described_only_where_there_are_any() -> None:
    assert describe(()) == ""
    assert '"name": "lamp"' in describe((Tool("lamp", "switches it"),))


def test_functions_are_counted_in_tokens_and_stand_whole_in_the_first_turn() -> None:
    """A Chinese description has far more tokens a letter than an English one."""
    words, template = tokenizer(VITA_15), VITA_15
    tools = tuple(Tool(f"f{n}", "\N{CJK UNIFIED IDEOGRAPH-706F}" * 12) for n in range(200))
    for capacity in (1024, 2048):
        prompt = VitaPrompt(words, template, None, capacity)
        fit = prompt.num_fitting(tools)
        opening = prompt.opening("\N{CJK UNIFIED IDEOGRAPH-706F}" * 4096, tools)
        assert 0 < fit < len(tools)
        assert len(opening) < capacity
        said = prompt.decode(opening)
        assert f'"f{fit - 1}"' in said and "To call one" in said
        assert f'"f{fit}"' not in said
