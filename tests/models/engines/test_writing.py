"""tests: what becomes of the tokens that a language model chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from models.base import AnswerOptions, FunctionCall, Tool
from models.engines.bundle import Bundle
from models.engines.memory import PromptMemory
from models.engines.nano_model import drawn
from models.engines.wording import NanoWording
from models.engines.writing import TokenWriter
from models.vita.nano_prompt import SLOW, NanoPrompt

pytestmark = pytest.mark.timeout(300)  # the first of all exports a model

SET = Tool("set")


class Recited:
    """In the place of a PromptMemory: wants to say `ids`, whatever it is told."""

    def __init__(self, ids: list[int], tools: tuple[Tool, ...], vocabulary: int) -> None:
        self.tools, self.told = tools, list[int]()
        self._ids, self._vocabulary = ids, vocabulary
        self.ended = False
        self._wish = 0

    def open_answer(self, told: str, forced: Sequence[int]) -> Iterator[None]:
        yield  # as if what opens the answer were read in two pieces
        self.told += [2, *forced]
        yield

    @property
    def is_opened(self) -> bool:
        return bool(self.told)

    def say(self, token: int) -> None:
        self.told.append(token)

    def choose(self, temperature: float, random: np.random.Generator, barred: Sequence[int]) -> int:
        logits = np.zeros(self._vocabulary, np.float32)
        self._wish = self._ids.pop(0) if self._ids else self._wish
        logits[self._wish] = 1.0
        return drawn(logits, temperature, random, barred)

    def end_answer(self) -> None:
        self.ended = True


def writer_of(
    bundle: Bundle,
    memory: Recited,
    options: AnswerOptions,
    slow_down: Callable[[], None] | None = None,
) -> TokenWriter:
    tools = memory.tools if options.tools is None else options.tools
    wording = NanoWording(bundle.prompt, tools, options, slow_down)
    return TokenWriter(cast(PromptMemory, memory), wording, options)


def written(
    bundle: Bundle, ids: list[int], options: AnswerOptions, tools: tuple[Tool, ...] = ()
) -> tuple[str, TokenWriter, Recited]:
    memory = Recited([*ids, bundle.prompt.ids["<end>"]], tools, len(bundle.table))
    writer = writer_of(bundle, memory, options)
    text = ""
    while not writer.done:
        text += writer.step()
    return text, writer, memory


def test_text_ends_at_the_end(bundle: Bundle) -> None:
    ids = bundle.prompt.encode("paris is the capital")
    text, writer, memory = written(bundle, ids, AnswerOptions())
    assert text == "paris is the capital"
    assert writer.call is None
    assert memory.told == [2, *ids]
    assert memory.ended


def test_the_wish_to_be_slow_is_no_word(bundle: Bundle) -> None:
    ids, slow, wishes = bundle.prompt.encode("paris"), bundle.prompt.ids[SLOW], list[bool]()
    memory = Recited([slow, *ids, slow, 1], (), len(bundle.table))  # the second one is barred
    writer = writer_of(bundle, memory, AnswerOptions(), lambda: wishes.append(True))
    text = ""
    while not writer.done and len(memory.told) < 3 + len(ids):
        text += writer.step()
    assert wishes == [True]
    assert text.startswith("paris") and memory.told[: 2 + len(ids)] == [2, slow, *ids]
    assert slow not in memory.told[2:]


def test_an_answer_may_be_empty(bundle: Bundle) -> None:
    assert written(bundle, [], AnswerOptions())[0] == ""


def test_an_answer_has_a_longest_length(bundle: Bundle) -> None:
    ids = bundle.prompt.encode("one two three one two three")
    text, writer, memory = written(bundle, ids, AnswerOptions(max_tokens=2))
    assert text == bundle.prompt.decode(ids[:2])
    assert memory.ended and writer.is_cut


def test_an_answer_that_ends_by_itself_was_not_cut(bundle: Bundle) -> None:
    ids = bundle.prompt.encode("paris")
    _, writer, _ = written(bundle, ids, AnswerOptions(max_tokens=len(ids)))
    assert not writer.is_cut


def test_a_name_that_nobody_declared_cannot_be_written(bundle: Bundle) -> None:
    """Whatever the model would rather say, its call names one of the functions."""
    tools = (Tool("set_timer"), Tool("get_time"))
    wording = NanoWording(bundle.prompt, tools, AnswerOptions(tool_choice="required"))
    names = [bundle.prompt.encode(tool.name) for tool in tools]
    for _ in range(max(map(len, names))):
        barred = set(wording.barred())
        allowed = [token for token in range(bundle.prompt.num_tokens) if token not in barred]
        if len(allowed) > len(tools):
            break
        wording.take(allowed[-1])
    assert wording.ids in names


NANO = Path(__file__).parents[3] / "models" / "nano"


def test_an_argument_that_nobody_declared_cannot_be_written() -> None:
    """Whatever the model would rather say, the first argument is one that the function has."""
    prompt = NanoPrompt.read(NANO / "tokenizer.json")
    timer = Tool("set_timer", parameters={"properties": {"minutes": {}, "label": {}}})
    for rather in (0, 1, -1):
        options = AnswerOptions(tool_choice="required")
        wording = NanoWording(prompt, (timer, Tool("now")), options)
        while len(allowed := allowed_next(wording, prompt)) < 100:
            wording.take(allowed[min(rather, len(allowed) - 1)])
        said = prompt.decode(wording.ids).rstrip()
        assert said in ("now", "set_timer {}", 'set_timer {"minutes":', 'set_timer {"label":')


def allowed_next(wording: NanoWording, prompt: NanoPrompt) -> list[int]:
    barred = set(wording.barred())
    return [token for token in range(prompt.num_tokens) if token not in barred]


@pytest.mark.parametrize(
    ("tools", "options", "expected"),
    [
        ((SET,), AnswerOptions(), FunctionCall("set", "{}")),
        ((Tool("other"),), AnswerOptions(), FunctionCall("other", "{}")),
        ((), AnswerOptions(), None),
        ((SET,), AnswerOptions(tool_choice="none"), None),
        ((), AnswerOptions(tools=(SET,)), FunctionCall("set", "{}")),
    ],
)
def test_only_declared_functions_are_called(
    bundle: Bundle,
    tools: tuple[Tool, ...],
    options: AnswerOptions,
    expected: FunctionCall | None,
) -> None:
    ids = [bundle.prompt.ids["<call>"], *bundle.prompt.encode("set")]
    text, writer, _ = written(bundle, ids, options, tools)
    assert writer.call == expected
    if expected is not None:
        assert text == ""


@pytest.mark.parametrize("choice", ["required", "set"])
def test_a_call_can_be_demanded(bundle: Bundle, choice: str) -> None:
    call, name = bundle.prompt.ids["<call>"], bundle.prompt.encode("set")
    ids = name if choice == "required" else []
    options = AnswerOptions(tool_choice=choice)
    text, writer, memory = written(bundle, ids, options, (SET,))
    assert memory.told == [2, call, *name]
    assert (text, writer.call) == ("", FunctionCall("set", "{}"))
