"""What nano can talk about: answers agree with arithmetic, tables and themselves."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from models.order_slots import SlotScore, digit_of, parse_label, read_back, slots_of
from models.training.pinyin import is_chinese
from models.training.scoring import answered
from models.training.skills import (
    coffee,
    everyday,
    functions,
    geography,
    negatives,
    numbers,
    registry,
)
from models.training.skills.exchange import Exchange
from models.training.skills.explanations import EXPLANATIONS
from models.training.skills.stories import STORIES

WORDS_A_MINUTE = 150


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (13, "thirteen"), (20, "twenty"), (47, "forty seven"), (100, "one hundred"),
     (118, "one hundred eighteen"), (-5, "minus five"), (2040, "two thousand forty")],
)  # fmt: skip
def test_numbers_are_spelled(number: int, words: str) -> None:
    assert numbers.spell(number) == words


def test_sums_are_right() -> None:
    values = {numbers.spell(value): value for value in range(200)}
    random = Random(4)
    for _ in range(300):
        said = numbers.arithmetic(random).answer.lower().rstrip(".")
        left, result = said.split(" is ")
        a, sign, b = re.split(r" (plus|minus|times) ", left)
        wanted = {"plus": values[a] + values[b], "minus": values[a] - values[b],
                  "times": values[a] * values[b]}[sign]  # fmt: skip
        assert values[result] == wanted


def test_sixty_countries_on_known_continents() -> None:
    assert len(geography.COUNTRIES) >= 60
    assert len({capital for capital, _ in geography.COUNTRIES.values()}) == len(geography.COUNTRIES)
    assert geography.COUNTRIES["Saudi Arabia"] == ("Riyadh", "Asia")
    assert geography.COUNTRIES["the United States"] == ("Washington", "North America")


def test_orders_read_back_every_slot() -> None:
    random = Random(2)
    for _ in range(400):
        slots = coffee.random_slots(random)
        assert slots_of(read_back(slots)) == slots


def test_every_slot_is_said_in_an_order() -> None:
    random = Random(3)
    for _ in range(200):
        slots = coffee.random_slots(random)
        said = coffee.phrase(slots, random)
        assert all(value in said for value in slots.values()), said


def test_labels_of_the_manifest() -> None:
    label = "intent=orderDrink; coffeeDrink=iced mocha; size=eight ounce"
    assert parse_label(label) == {"coffeeDrink": "iced mocha", "size": "eight ounce"}
    assert slots_of("I am Nano.") == {}


def test_opposites_go_both_ways() -> None:
    assert all(everyday.OPPOSITES[other] == word for word, other in everyday.OPPOSITES.items())


@pytest.mark.parametrize("texts", [STORIES, EXPLANATIONS])
def test_long_answers_last_twenty_to_forty_seconds(texts: dict[str, str]) -> None:
    assert len(texts) == 12
    seconds = [len(text.split()) * 60 / WORDS_A_MINUTE for text in texts.values()]
    assert 20 <= min(seconds) and max(seconds) <= 40


def test_answers_can_be_spoken() -> None:
    random = Random(7)
    for _ in range(600):
        for exchange in registry.dialogue(random).exchanges:
            for said in (exchange.answer, exchange.report):
                signs = r"[\u4e00-\u9fff，。？]*" if is_chinese(said) else r"[A-Za-z' ,.?]*"
                assert re.fullmatch(signs, said), said


def test_calls_only_for_declared_tools() -> None:
    random, called, refused = Random(5), 0, 0
    for _ in range(300):
        made = functions.functions(random)
        call = made.exchanges[0].call
        if call is None:
            refused += "sorry" in made.exchanges[0].answer
            continue
        called += 1
        signature = next(tool for tool in made.tools if tool.startswith(call.name + "("))
        assert all(name in signature for name in json.loads(call.arguments))
    assert called > 150 and refused > 50


def test_held_out_phrasings_are_not_learned() -> None:
    for phrasings in (geography.CAPITAL, numbers.SUM, everyday.UNIT, functions.TIMER):
        assert not set(phrasings.train) & set(phrasings.evaluation)


def test_negatives_are_never_plain_questions() -> None:
    random = Random(6)
    questions = {geography.capital(random).question for _ in range(400)}
    assert not questions & {negatives.not_meant(random) for _ in range(400)}


@pytest.mark.parametrize(
    ("answer", "right"),
    [("The capital of Italy is Rome.", True), ("the capital of italy is rome", True),
     ("The capital of Italy is Romeo.", False), ("", False)],
)  # fmt: skip
def test_an_answer_is_right_by_its_key(answer: str, right: bool) -> None:
    asked = Exchange("", "The capital of Italy is Rome.", "capitals", "is rome")
    assert answered(asked, answer) is right


def test_scores_of_orders() -> None:
    wanted = {"coffeeDrink": "latte", "size": "small"}
    score = SlotScore()
    for answer in ("One small latte.", "One large latte.", "Hm."):
        score = score.plus(slots_of(answer), wanted)
    assert (score.orders, score.exact, score.slot_f1) == (3, 1, 2 * 3 / (4 + 6))


@pytest.mark.parametrize(
    ("answer", "digit"), [("You said seven.", 7), ("Seven or eight.", None), ("Hello.", None)]
)
def test_digits(answer: str, digit: int | None) -> None:
    assert digit_of(answer) == digit
