"""tests: what transcripts say about the state of a segment."""

from __future__ import annotations

import pytest

from models.base import Verdict
from models.word_evidence import WordEvidence, evidence_of, weighed

TALK = Verdict(query=0.03, noise=0.95, text=0.0, unfinished=0.02)
DONE = Verdict(query=0.7, noise=0.1, text=0.0, unfinished=0.2)
QUESTIONS = (
    "How many planets are there in the solar system?",
    "Is it going to rain tomorrow?",
    "Um, what's the difference between a virus and a bacterium?",
    "Tell me about the history of chess.",
    "Could you help me plan a weekend in Rome?",
    "Where are you from?",
    "I'd like to know more about black holes.",
    "给我讲一个故事",
    "今天天气怎么样？",
)
UNFINISHED = (
    "What is the",
    "I would like to know how many.",
    "How do I get to the",
    "Tell me about the history of",
    "I was thinking that",
)
TO_OTHERS = (
    "Honey, did you feed the dog?",
    "John, pass me the salt, please.",
    "Come here, Max, good boy.",
    "She said she would call back later.",
    "Hold on, I'm on the phone.",
)
SILENT = ("The pencils have all been used.", "Chapter one.", "Sunday is the best part of the week.")


@pytest.mark.parametrize("words", QUESTIONS)
def test_a_finished_question_is_a_query_whatever_it_is_about(words: str) -> None:
    assert weighed(TALK, evidence_of(words)).query > 0.5


@pytest.mark.parametrize("words", UNFINISHED)
def test_what_breaks_off_is_unfinished(words: str) -> None:
    verdict = weighed(DONE, evidence_of(words))
    assert verdict.unfinished > max(verdict.query, verdict.noise)


@pytest.mark.parametrize("words", TO_OTHERS)
def test_words_to_somebody_else_are_no_query(words: str) -> None:
    assert weighed(DONE, evidence_of(words)).query < 0.5


@pytest.mark.parametrize("words", SILENT)
def test_words_that_say_nothing_leave_the_verdict_as_it_is(words: str) -> None:
    assert evidence_of(words) == WordEvidence()
    assert weighed(DONE, evidence_of(words)) is DONE


def test_no_words_are_noise() -> None:
    assert weighed(DONE, evidence_of(" ")).noise > 0.8


@pytest.mark.parametrize("words", [*QUESTIONS, *UNFINISHED, *TO_OTHERS, *SILENT, ""])
@pytest.mark.parametrize("is_whole", [True, False])
def test_scores_sum_to_one(words: str, is_whole: bool) -> None:
    for verdict in (TALK, DONE, Verdict(query=1.0, noise=0.0), Verdict(query=0.0, noise=1.0)):
        found = weighed(verdict, evidence_of(words), is_whole=is_whole)
        assert found.query + found.noise + found.text + found.unfinished == pytest.approx(1)


def test_while_more_is_being_said_words_do_not_finish_a_turn() -> None:
    going_on = Verdict(query=0.1, noise=0.1, text=0.0, unfinished=0.8)
    found = weighed(going_on, evidence_of(QUESTIONS[0]), is_whole=False)
    assert found.unfinished > found.query
    assert found.query + found.unfinished > 0.9
