"""The pretrained model's own short answers to open questions, of which only sound ones are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from models.smollm.chat import Chat
from models.training.smollm import open_questions
from models.training.smollm.decoding import decode
from models.vita.language_model import LanguageModel

BRIEFLY = "Answer in one short sentence."
MOST_TOKENS, MOST_WORDS, LEAST_WORDS = 48, 20, 4
_EMPTY = ("as an ai", "i'm sorry", "i am sorry", "i cannot", "i can't", "i don't", "http", "*", "#",
          "complex", "multifaceted", "question", "here is", "here are", "this sentence",
          "short sentence", "smollm", "hugging", "testament", "vibrant", "majestic", "captivat",
          "the right mindset", "all about", "misunderstood", "fascinating", "more than that",
          "i'm ", "incredible", "pivotal", "groundbreaking", "metaphorical", "the primary",
          "can vary", "the example", "when it comes to", "world of", "various reasons",
          "a variety of", "natural wonder", "towering", "often rooted")  # fmt: skip
# Kept by the rules, read by us, and false or empty.
_WRONG = frozenset((
    "can animals think", "give me a name for a cat", "give me a name for a dog",
    "how do i become a doctor", "how is steel made", "how is glass made",
    "tell me about leonardo da vinci", "who was leonardo da vinci", "tell me about marie curie",
    "who was marie curie", "tell me about mars", "tell me about saturn", "what is a peninsula",
    "what is a pilot", "what is a shark", "what is a sailor", "what is an island",
    "what is butter", "what is pasta", "what is tennis", "what is the moon", "what is inflation",
    "who was beethoven", "why do birds fly south", "why is honey sweet", "what is a judge",
    "what is wool", "how do spiders make webs", "tell me about aristotle", "what is a president",
    "what is nuclear energy", "tell me about the sahara", "why is friendship important",
    "give me a tip for better sleep", "give me an idea for a weekend", "what is iron",
    "how do i clean shoes", "how do ships float", "is time travel possible",
    "give me an example of a mammal", "what is a comet", "what is an earthquake",
))  # fmt: skip


def is_sound(answer: str) -> bool:
    """A whole sentence, short, without phrases of refusal or of filling, no longer word twice."""
    words = answer.lower().split()
    if not LEAST_WORDS <= len(words) <= MOST_WORDS or answer[-1:] not in ".!":
        return False
    if any(phrase in answer.lower() for phrase in _EMPTY) or ":" in answer or "\n" in answer:
        return False
    weighty = [word.strip(".,!") for word in words if len(word) > 4]
    return len(set(weighty)) == len(weighty)


def first_sentence(text: str) -> str:
    """The text up to its first full stop, as far as there is one."""
    found = re.match(r"(.+?[.!])(?:\s|$)", text.strip().replace("\n", " "))
    return found[1] if found else text.strip()


def own_answers(model: LanguageModel, chat: Chat, questions: Sequence[str]) -> list[str]:
    """One answer each, greedy."""
    opening = chat.opening(BRIEFLY, ())
    prompts = [
        [*opening, *chat.turn("user"), *chat.encode(_asked(question)), *chat.close(),
         *chat.turn("assistant")]
        for question in questions
    ]  # fmt: skip
    said = decode(model, prompts, chat.end, MOST_TOKENS)
    return [first_sentence(chat.decode(ids)) for ids in said]


def _asked(question: str) -> str:
    wish = question.startswith(("tell", "give", "write", "say", "can you"))
    return question[:1].upper() + question[1:] + ("." if wish else "?")


def collect(model: LanguageModel, chat: Chat, path: Path) -> tuple[int, int]:
    """Write pairs of question and answer, ours and its own; how many of its own, of how many asked,
    were kept."""
    torch.set_num_threads(1)
    asked = sorted(set(open_questions.unanswered()))
    answers = own_answers(model, chat, asked)
    kept = [(q, a) for q, a in zip(asked, answers, strict=True) if q not in _WRONG and is_sound(a)]
    pairs = [*open_questions.written(), *kept]
    path.write_text(json.dumps(pairs, indent=0))
    return len(kept), len(asked)
