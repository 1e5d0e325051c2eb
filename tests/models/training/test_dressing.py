"""Words around questions: they change neither the answer nor what is kept back for evaluation."""

from __future__ import annotations

from random import Random
from types import ModuleType

import pytest

from models.training.pinyin import is_chinese
from models.training.skills import dressing, everyday, functions, geography, narration, numbers
from models.training.skills.dressing import dressed
from models.training.skills.exchange import Exchange, Phrasings
from models.training.skills.mandarin import everyday as chinese_everyday
from models.training.skills.mandarin import geography as chinese_geography
from models.training.skills.mandarin import narration as chinese_narration
from models.training.skills.mandarin import numbers as chinese_numbers
from models.training.skills.registry import (
    DIALOGUES,
    SKILLS,
    dialogue,
    drill,
    exchange,
    judge,
)
from models.training.skills.skill import Language

FILLERS = (*dressing.BEFORE, *dressing.ASKING)

MODULES = (
    everyday, functions, geography, narration, numbers,
    chinese_everyday, chinese_geography, chinese_narration, chinese_numbers,
)  # fmt: skip


def phrasings(module: ModuleType) -> list[Phrasings]:
    return [
        each
        for each in vars(module).values()
        if isinstance(each, Phrasings) and each.train != each.evaluation
    ]


def ways(template: str) -> set[str]:
    """A phrasing with every word that may stand before or behind it."""
    before: tuple[str, ...]
    behind: tuple[str, ...]
    if is_chinese(template):
        before, behind, between = dressing.BEFORE_CHINESE, dressing.BEHIND_CHINESE, ""
    else:
        asks = template.startswith(dressing.QUESTION_WORDS)
        before = dressing.BEFORE + (dressing.ASKING if asks else ())
        behind, between = dressing.BEHIND, " "
    return {word + between + template for word in before} | {
        template + between + word for word in behind
    }


@pytest.mark.parametrize("module", MODULES)
def test_no_phrasing_becomes_one_that_is_kept_back(module: ModuleType) -> None:
    found = phrasings(module)
    kept = {template for each in found for template in each.evaluation}
    learned = {template for each in found for template in each.train}
    assert found and not kept & learned
    assert not kept & {way for template in learned for way in ways(template)}


def test_some_questions_are_dressed_and_their_answers_stay() -> None:
    random = Random(3)
    asked = Exchange("what is the capital of Italy", "The capital of Italy is Rome.", "capitals")
    made = [dressed(random, asked) for _ in range(400)]
    changed = [each for each in made if each.question != asked.question]
    assert 50 < len(changed) < 150
    assert all(asked.question in each.question for each in changed)
    assert {each.answer for each in made} == {asked.answer}


def test_what_is_to_be_said_again_stays_as_it_is() -> None:
    asked = [exchange(random, names=("saying",)) for random in map(Random, range(200))]
    assert not any(
        each.question.startswith(tuple(f"{word} " for word in FILLERS)) for each in asked
    )


def test_evaluation_is_never_dressed() -> None:
    random = Random(4)
    made = [exchange(random, held_out=True) for _ in range(400)]
    asked = [each.question for each in made if each.skill in ("sums", "capitals", "animals")]
    assert asked and not any(question.startswith(dressing.BEFORE) for question in asked)


def test_every_kind_of_exchange_has_its_skill() -> None:
    """What the skills make is what they are registered to make: shares and judges are found."""
    random = Random(8)
    for language in Language:
        registered = {
            kind
            for each in (*SKILLS, *DIALOGUES)
            if each.language is language
            for kind in each.spoken
        }
        made = [dialogue(random, chinese=float(language is Language.CHINESE)) for _ in range(600)]
        assert {each.exchanges[-1].skill for each in made} <= registered
    with pytest.raises(ValueError, match="poetry"):
        judge(Exchange("", "", "poetry"), "")


def test_a_right_answer_is_right_and_a_wrong_one_is_not() -> None:
    asked = Exchange("what is two plus two", "Two plus two is four.", "sums", "is four")
    assert judge(asked, "Two plus two is four.") and not judge(asked, "Two plus two is five.")


@pytest.mark.parametrize("chinese", [0.0, 1.0])
def test_drills_are_numbers_in_one_language(chinese: float) -> None:
    for seed in range(20):
        made = drill(Random(seed), chinese)
        assert 2 <= len(made.exchanges) <= 6
        assert {each.skill for each in made.exchanges} <= {"sums", "counting"}
        assert {is_chinese(each.answer) for each in made.exchanges} == {bool(chinese)}


def test_dialogues_carry_dressed_questions() -> None:
    random = Random(5)
    asked = [each.question for _ in range(400) for each in dialogue(random).exchanges]
    assert any(question.startswith("excuse me ") for question in asked)
