"""tests: what transcripts say about the state of a segment."""

from __future__ import annotations

import pytest

from duplex.endpointing import Endpoint, Settings, judge_pause, thresholds_for
from models.base import Verdict
from models.word_evidence import WordEvidence, corrected, evidence_of, weighed

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
    "He came home very late yesterday.",
    "In the morning we went to the market.",
    "Five times the old man rang the bell of their house.",
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


@pytest.mark.parametrize(
    "words", ["What is the capital of?", "How much is seven plus?", "What colour is the?"]
)
def test_a_transcript_no_sentence_ends_on_keeps_the_turn_open(words: str) -> None:
    """A recogniser puts a question mark behind these by itself, and a model believes it."""
    believed = Verdict(query=0.97, noise=0.02, unfinished=0.01, words=words)
    found = corrected(believed)
    assert found.unfinished > found.query
    assert found.query < 0.5 and found.noise == believed.noise
    assert found.query + found.unfinished == pytest.approx(0.98)


def test_what_may_be_whole_after_all_is_answered_once_nothing_follows() -> None:
    believed = Verdict(query=0.97, noise=0.02, unfinished=0.01, words="What is it the colour of?")
    thresholds = thresholds_for(Settings())
    patience = thresholds.unfinished_patience_s
    ruled = judge_pause(corrected(believed), patience, thresholds, voiced=1.0)
    assert ruled.outcome is Endpoint.COMMIT


@pytest.mark.parametrize(
    "words",
    [
        "What is the capital of France?",
        "What is it made of?",
        "Where are you from?",
        "Do you know which country Baghdad belongs to?",
        "Which continent is Kenya in?",
        "Tell me how much seven minus five is.",
        "What did you say?",
        "Wait a second.",
        "Please get me a double espresso.",
        "Who are you talking to?",
        "What are you looking for?",
        "法国的首都是什么",
        "Hello.",
        "I",
        "",
    ],
)
def test_whole_sentences_stay_what_they_are(words: str) -> None:
    believed = Verdict(query=0.97, noise=0.02, unfinished=0.01, words=words)
    assert corrected(believed) is believed


@pytest.mark.parametrize("words", [w for w in TO_OTHERS if not w.startswith("Hold on")])
def test_a_model_that_overlooks_words_to_others_is_corrected(words: str) -> None:
    believed = Verdict(query=0.9, noise=0.06, unfinished=0.04, words=words)
    found = corrected(believed)
    assert found.noise > 0.5 > found.query
    assert found.words == words


@pytest.mark.parametrize(
    "words",
    [
        "A double shot espresso with almond milk and a bit of sugar.",
        "Make it a large medium roast cappuccino with extra milk",
        "Tell me the story about the fox again.",
        "Could you ask them when they were there?",
        "We would like two small lattes please.",
        "I am sad today.",
        "Forty seven plus seventeen.",
    ],
)
def test_what_is_said_to_the_assistant_is_not_taken_for_a_tale(words: str) -> None:
    believed = Verdict(query=0.9, noise=0.06, unfinished=0.04, words=words)
    assert corrected(believed) is believed
