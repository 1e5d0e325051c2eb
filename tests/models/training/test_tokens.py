"""nano's tokenizer: numbers are learned place by place only if they are written that way."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.training.tokens import train_tokenizer
from models.vita.nano_prompt import NanoPrompt

BUNDLED = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"


@pytest.fixture(scope="module", params=["bundled", "trained"])
def prompt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NanoPrompt:
    path = BUNDLED
    if request.param == "trained":
        path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
        train_tokenizer(path, count=300)
    return NanoPrompt.read(path)


@pytest.mark.parametrize("text", ["六十八加二十五等于九十三", "十二", "一杯", "2026"])
def test_numerals_stand_alone(prompt: NanoPrompt, text: str) -> None:
    numerals = [letter for letter in text if letter in "零一二三四五六七八九十0123456789"]
    pieces = [prompt.decode([token]) for token in prompt.encode(text)]
    assert [piece for piece in pieces if set(piece) & set(numerals)] == numerals


def test_text_comes_back(prompt: NanoPrompt) -> None:
    text = "One large mocha. 一百二十三加零等于多少？"
    assert prompt.decode(prompt.encode(text)) == text
