"""What a person types or a transcriber writes for words that were said: letters large or small,
signs or none, numbers in digits, and words taken for others that sound alike."""

from __future__ import annotations

import re
from random import Random

from models.training.skills.exchange import pick, sentence
from models.training.skills.numbers import spell

_NUMBERS = {spell(value): value for value in range(100)}
_LONGEST_FIRST = sorted(_NUMBERS, key=len, reverse=True)
_NUMBER = re.compile(rf"\b(?:{'|'.join(_LONGEST_FIRST)})\b")
_QUESTION_WORDS = (
    "what", "which", "how", "where", "who", "why", "when", "can", "could", "do", "does", "is",
    "are", "will", "would", "may",
)  # fmt: skip

# Words and what transcribers write for them, met in coffee orders or likely in short questions.
_ALIKE = {
    "medium roast": ("medium rose", "medium-roast", "medium rust"),
    "dark roast": ("dark rose", "dog roast", "dark-roast", "dark rust"),
    "light roast": ("light rose", "like roast", "light-roast", "late roast"),
    "mocha": ("mocker", "moca", "mocka", "moka", "smoker"),
    "iced mocha": ("ice mocha", "ice mocker", "ice smoker", "iced mocker"),
    "iced coffee": ("ice coffee", "nice coffee"),
    "latte": ("lattay", "lotte", "latter", "later"),
    "espresso": ("expresso", "express so"),
    "americano": ("americana", "american o"),
    "cappuccino": ("cappucino", "capuchino", "cup of chino"),
    "drip coffee": ("trip coffee", "drip-coffee"),
    "house coffee": ("house of coffee", "hours coffee"),
    "ounce": ("oz", "announce", "ounces"),
    "sixteen": ("sixty",), "twelve": ("12", "twelf"), "eight": ("ate", "8"),
    "skim milk": ("skimmed milk", "scheme milk"), "soy milk": ("soya milk", "so milk"),
    "almond milk": ("all mond milk", "almonds milk"), "sweetener": ("sweet nut", "sweetner"),
    "single shot": ("single-shot", "single short"), "double shot": ("double-shot", "double short"),
    "triple shot": ("triple-shot", "triple short"), "a bit of": ("a bitter", "a bit off"),
    "brew me": ("brew my", "blue me"), "colour": ("color",), "favourite": ("favorite",),
    "metre": ("meter",), "centimetre": ("centimeter",), "grey": ("gray",), "goodbye": ("good bye",),
    "two": ("to", "too"), "four": ("for",), "one": ("won",), "opposite": ("opposit",),
    "capital": ("capitol",), "mum": ("mom",), "okay": ("ok",), "what is": ("what's",),
    "i would": ("i'd",), "i will": ("i'll",), "what's": ("whats",), "plus": ("+",),
    "minus": ("-",),
}  # fmt: skip
_NEAR = {
    "a": "eo", "e": "ai", "i": "ey", "o": "ua", "u": "oa", "b": "p", "p": "b", "d": "t", "t": "d",
    "g": "k", "k": "c", "c": "k", "s": "z", "z": "s", "f": "v", "v": "f", "m": "n", "n": "m",
}  # fmt: skip
_WEAK = ("the", "a", "an", "is", "of", "to", "you", "me", "please", "do")  # easily missed
_CLEAN = 0.55  # share of texts without a wrong word


def written(random: Random, text: str, faithful: bool = False) -> str:
    """One way in which `text` reaches the model; a `faithful` one has every word as it was said."""
    if not faithful:
        if random.random() < 0.3:
            text = _NUMBER.sub(lambda found: str(_NUMBERS[found[0]]), text)
        if random.random() > _CLEAN:
            text = _misheard(random, text)
    return _dressed(random, text)


def _misheard(random: Random, text: str) -> str:
    for words, others in _ALIKE.items():
        if words in text and random.random() < 0.35:
            text = re.sub(rf"\b{re.escape(words)}\b", pick(random, others), text, count=1)
    words_of = text.split(" ")
    if random.random() < 0.4:
        place = random.randrange(len(words_of))
        words_of[place] = _letter_wrong(random, words_of[place])
    places = [place for place, word in enumerate(words_of) if word in _WEAK]
    if places and random.random() < 0.12:
        del words_of[pick(random, places)]
    return " ".join(words_of)


def _letter_wrong(random: Random, word: str) -> str:
    """Of longer words one letter is another, doubled, or missing."""
    if len(word) < 5 or not word.isalpha():
        return word
    place = random.randrange(1, len(word))
    letter = word[place]
    changed: str = pick(random, (*_NEAR.get(letter, letter), letter + letter, ""))
    return word[:place] + changed + word[place + 1 :]


def _dressed(random: Random, text: str) -> str:
    kind = random.random()
    if kind < 0.35:
        return text.lower()
    question = text.lower().startswith(_QUESTION_WORDS)
    sign = ("?" if question else ".") if random.random() < 0.85 else ""
    if kind < 0.85:
        return re.sub(r"\bi\b", "I", sentence(text)) + sign
    if kind < 0.9:
        return text.lower() + sign
    return text + pick(random, ("", "", sign, "!"))
