"""Saying after somebody: any words, so that copying is learned for all other skills too."""

from __future__ import annotations

from random import Random

from models.order_slots import DRINKS, SIZES
from models.training.skills import everyday, geography
from models.training.skills.exchange import Exchange, Phrasings, pick, sentence
from models.training.skills.mandarin import coffee as chinese_coffee
from models.training.skills.mandarin import everyday as chinese_everyday
from models.training.skills.mandarin import geography as chinese_geography
from models.training.skills.mandarin.numbers import number
from models.training.skills.numbers import spell

SAY = Phrasings(
    ("say {w}", "please say {w}", "repeat after me {w}", "can you say {w}", "say after me {w}"),
    ("i want you to say {w}", "could you say {w}"),
)  # fmt: skip
SAY_CHINESE = Phrasings(("请说{w}", "跟我说{w}", "你说{w}"), ("请跟我说{w}",))

_GREETINGS = (
    "hello", "hi", "good morning", "good night", "thank you", "goodbye", "please", "yes", "no",
    "hello world", "happy birthday", "welcome", "i love you", "cheese", "sorry", "good luck",
)  # fmt: skip
_POOL = (
    *geography.COUNTRIES, *(city for city, _ in geography.COUNTRIES.values()), *everyday.ANIMALS,
    *everyday.WORDS, *everyday.OPPOSITES, *everyday.DAYS, *everyday.MONTHS, *DRINKS,
    *SIZES, *(spell(value) for value in range(100)), *_GREETINGS, *_GREETINGS,
)  # fmt: skip
_CHINESE_POOL = (
    *chinese_geography.COUNTRIES, *(city for city, _ in chinese_geography.COUNTRIES.values()),
    *chinese_everyday.ANIMALS, *chinese_everyday.COLOURS, *chinese_everyday.OPPOSITES,
    *chinese_coffee.DRINKS.values(), *(number(value) for value in range(100)),
)  # fmt: skip


def saying(random: Random, held_out: bool = False) -> Exchange:
    count = 1 if random.random() < 0.3 else random.randrange(1, 6)
    words = " ".join(pick(random, _POOL) for _ in range(count))
    return Exchange(SAY.pick(random, held_out).format(w=words), sentence(words) + ".", "saying")


def saying_chinese(random: Random, held_out: bool = False) -> Exchange:
    words = "".join(pick(random, _CHINESE_POOL) for _ in range(random.randrange(1, 5)))
    return Exchange(SAY_CHINESE.pick(random, held_out).format(w=words), f"{words}。", "saying")
