"""The Chinese skills: answers agree with arithmetic and tables, and can be spelled in letters."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest

from models.training.pinyin import is_chinese, parted, piece_texts, spelled, toned, words_of
from models.training.scoring import answered
from models.training.sequences import answer_weights
from models.training.simulation import simulate
from models.training.skills import registry
from models.training.skills.exchange import Exchange
from models.training.skills.mandarin import coffee, everyday, geography, narration, negatives
from models.training.skills.mandarin import numbers as chinese_numbers
from models.training.skills.offers import offer
from models.training.skills.skill import Language
from models.training.skills.slower import slower

CHARACTERS_A_SECOND = 4.6  # of an unhurried voice


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "零"), (10, "十"), (15, "十五"), (20, "二十"), (47, "四十七"), (100, "一百"),
     (108, "一百零八"), (112, "一百一十二"), (198, "一百九十八")],
)  # fmt: skip
def test_numbers_in_characters(value: int, text: str) -> None:
    assert chinese_numbers.number(value) == text


def test_sums_are_right() -> None:
    values = {chinese_numbers.number(value): value for value in range(200)}
    random = Random(4)
    for _ in range(300):
        left, result = chinese_numbers.arithmetic(random).answer.rstrip("。").split("等于")
        a, sign, b = re.split("([加减乘])", left)
        first, second = values[a], values[b]
        wanted = {"加": first + second, "减": first - second, "乘": first * second}[sign]
        assert values[result] == wanted


def test_tables() -> None:
    assert geography.COUNTRIES["法国"] == ("巴黎", "欧洲")
    assert len({capital for capital, _ in geography.COUNTRIES.values()}) == len(geography.COUNTRIES)
    assert all(everyday.OPPOSITES[other] == word for word, other in everyday.OPPOSITES.items())


def test_orders_are_read_back_in_full() -> None:
    slots = {"coffeeDrink": "iced coffee", "size": "large", "roast": "dark roast",
             "numberOfShots": "double shot", "milkAmount": "lots of soy milk",
             "sugarAmount": "brown sugar"}  # fmt: skip
    assert coffee.read_back(slots) == "一杯大杯深烘双份冰咖啡，加很多豆奶和红糖。"


def test_long_answers_last_twenty_to_forty_seconds() -> None:
    for text in (*narration.STORIES.values(), *narration.EXPLANATIONS.values()):
        assert 20 <= len(words_of(text)) / CHARACTERS_A_SECOND <= 40, text


def test_every_question_has_letters_for_each_character() -> None:
    random = Random(1)
    for _ in range(300):
        for exchange in registry.dialogue(random, random.random() < 0.5, chinese=1.0).exchanges:
            syllables = spelled(exchange.question).split()
            assert len(syllables) == len(words_of(exchange.question)), exchange.question
            assert re.fullmatch(r"[a-z ]+", spelled(exchange.question))


def test_pinyin() -> None:
    assert toned("你好，谢谢") == "ni2 hao3, xie4 xie4"
    assert spelled("你好，谢谢") == "ni hao xie xie"
    assert spelled("what is it") == "what is it"
    assert piece_texts("你好") == ("你", "好") and piece_texts("is it") == ("is", " it")
    assert parted("法国的首都", 0.5) == "法国" and parted("hello", 0.5) == "hello"


def test_simulated_letters_say_where_each_character_ends() -> None:
    sound = simulate(np.random.default_rng(0), "法国的首都是哪里", error=0.0)
    assert len(sound.ends) == 8 and list(sound.ends) == sorted(sound.ends)


@pytest.mark.parametrize(
    ("answer", "right"),
    [("法国的首都是巴黎。", True), ("是巴黎", True), ("法国的首都是里斯本。", False), ("", False)],
)
def test_chinese_answers_are_right_by_their_key(answer: str, right: bool) -> None:
    asked = Exchange("", "法国的首都是巴黎。", "capitals", "是巴黎")
    assert answered(asked, answer) is right


def test_negatives_and_shares() -> None:
    random = Random(6)
    asked = {registry.exchange(random, language=Language.CHINESE).question for _ in range(500)}
    assert len(asked & {negatives.not_meant(random) for _ in range(500)}) <= 5
    asked_first = [registry.dialogue(random).exchanges[0].question for _ in range(1000)]
    share = sum(map(is_chinese, asked_first)) / 1000
    assert abs(share - registry.CHINESE) < 0.06


def test_slower_repeats_the_answer_and_says_so() -> None:
    before = Exchange("who are you", "I am Nano.", "identity")
    first, again = slower(Random(0), before).exchanges
    assert first is before and again.slow and again.answer == before.answer
    assert slower(Random(0), None).exchanges[0].slow


def test_a_story_counts_as_much_as_root_of_its_length() -> None:
    assert answer_weights([-100, 7, -100, 1, 2, 3, 4]) == [0, 1, 0, 0.5, 0.5, 0.5, 0.5]


def test_what_is_only_practised_is_not_asked_for() -> None:
    random = Random(3)
    for held_out, found in ((True, False), (False, True)):
        made = [registry.dialogue(random, held_out) for _ in range(300)]
        skills = {each.exchanges[-1].skill for each in made}
        assert ("saying" in skills) is found


def test_an_offer_is_taken_with_one_word() -> None:
    made = [offer(Random(seed), chinese=seed % 2 == 0) for seed in range(40)]
    taken = {len(each.exchanges[1].answer) > 40 for each in made}
    assert taken == {True, False}
    assert all(each.exchanges[0].answer.endswith(("?", "？")) for each in made)
