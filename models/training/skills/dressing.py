"""Words around a question that change nothing about it: "well, ... please".

People rarely ask as a list of phrasings does, and a mind that has only met the list answers what
its first words remind it of. None of these makes a phrasing that is kept back for evaluation.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from models.training.pinyin import is_chinese
from models.training.skills.exchange import Exchange, pick

SHARE = 0.25
BEFORE = ("hey", "okay", "well", "so", "um", "nano", "excuse me", "hello", "now", "one question")
ASKING = ("can you tell me", "i wonder", "do you know", "i would like to ask", "could you say")
BEHIND = ("please", "now", "then", "nano", "thanks")
BEFORE_CHINESE = ("那个", "嗯", "你好", "我问你", "想问一下", "麻烦问一下", "告诉我", "那")
BEHIND_CHINESE = ("呢", "啊", "谢谢")
QUESTION_WORDS = ("what", "which", "how", "where", "who", "why")


def dressed(random: Random, exchange: Exchange) -> Exchange:
    """Sometimes the same question with such words before or behind it."""
    if random.random() >= SHARE:
        return exchange
    question = exchange.question
    chinese = is_chinese(question)
    if random.random() < 0.3:
        behind = pick(random, BEHIND_CHINESE if chinese else BEHIND)
        return replace(exchange, question=f"{question}{'' if chinese else ' '}{behind}")
    if chinese:
        return replace(exchange, question=pick(random, BEFORE_CHINESE) + question)
    asks = question.startswith(QUESTION_WORDS) and random.random() < 0.5
    return replace(exchange, question=f"{pick(random, ASKING if asks else BEFORE)} {question}")
