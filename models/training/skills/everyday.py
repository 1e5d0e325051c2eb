"""Everyday knowledge: animals, colours, opposites, spelling, the calendar and units."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Exchange, Phrasings, article, pick, sentence
from models.training.skills.numbers import spell

ANIMALS = {  # animal: its sound, its young, its home, its legs
    "dog": ("barks", "puppy", "kennel", 4), "cat": ("meows", "kitten", "house", 4),
    "cow": ("moos", "calf", "barn", 4), "horse": ("neighs", "foal", "stable", 4),
    "pig": ("grunts", "piglet", "sty", 4), "sheep": ("bleats", "lamb", "fold", 4),
    "duck": ("quacks", "duckling", "pond", 2), "hen": ("clucks", "chick", "coop", 2),
    "lion": ("roars", "cub", "savanna", 4), "wolf": ("howls", "pup", "den", 4),
    "bee": ("buzzes", "larva", "hive", 6), "owl": ("hoots", "owlet", "tree", 2),
    "frog": ("croaks", "tadpole", "pond", 4), "goose": ("honks", "gosling", "lake", 2),
    "bear": ("growls", "cub", "cave", 4), "mouse": ("squeaks", "pup", "hole", 4),
    "snake": ("hisses", "snakelet", "nest", 0), "spider": ("is silent", "spiderling", "web", 8),
    "ant": ("is silent", "larva", "nest", 6), "goat": ("bleats", "kid", "barn", 4),
}  # fmt: skip
COLOURS = {
    "grass": "green", "snow": "white", "the sky": "blue", "a lemon": "yellow", "a tomato": "red",
    "coal": "black", "an orange": "orange", "chocolate": "brown", "a banana": "yellow",
    "a strawberry": "red", "milk": "white", "the sea": "blue", "a frog": "green",
    "an elephant": "grey", "a flamingo": "pink", "the sun": "yellow", "blood": "red",
    "a carrot": "orange", "a raven": "black", "a plum": "purple",
}  # fmt: skip
MIXTURES = {
    ("blue", "yellow"): "green", ("red", "yellow"): "orange", ("red", "blue"): "purple",
    ("black", "white"): "grey", ("red", "white"): "pink",
}  # fmt: skip
_PAIRS = (
    "hot cold,big small,tall short,fast slow,light dark,day night,old new,early late,happy sad,"
    "rich poor,hard soft,open closed,full empty,strong weak,loud quiet,wet dry,high low,"
    "near far,clean dirty,left right,up down,good bad,long brief,thick thin,true false,"
    "first last,summer winter,love hate,push pull,begin end"
)
OPPOSITES = {
    word: other
    for first, second in (pair.split() for pair in _PAIRS.split(","))
    for word, other in ((first, second), (second, first))
}
WORDS = (
    "cat dog house tree water bread apple green table chair river stone light music paper "
    "winter summer friend school garden window bridge coffee sugar yellow orange animal "
    "mother father sister brother doctor market"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
_LENGTHS = dict(zip(MONTHS, (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))
UNITS = {  # unit: how many of which smaller one
    "minute": (60, "seconds"), "hour": (60, "minutes"), "day": (24, "hours"),
    "week": (7, "days"), "year": (12, "months"), "metre": (100, "centimetres"),
    "centimetre": (10, "millimetres"), "foot": (12, "inches"), "yard": (3, "feet"),
    "dozen": (12, "pieces"),
    "century": (100, "years"), "pound": (16, "ounces"), "gallon": (8, "pints"),
}  # fmt: skip
_PLURALS = {"century": "centuries", "foot": "feet", "dozen": "dozen"}

SOUND = Phrasings(
    ("what sound does {a} make", "what does {a} do", "which noise does {a} make"),
    ("tell me the sound that {a} makes",),
)
YOUNG = Phrasings(
    ("what is a baby {n} called", "what do you call a young {n}", "what is a young {n} called",
     "how do you call a baby {n}", "the name of a young {n}"),
    ("what is the name for a baby {n}",),
)  # fmt: skip
HOME = Phrasings(("where does {a} live", "what is the home of {a}"), ("tell me where {a} lives",))
LEGS = Phrasings(
    ("how many legs does {a} have", "how many legs has {a}"), ("tell me how many legs {a} has",)
)
COLOUR = Phrasings(
    ("what colour is {t}", "which colour does {t} have", "tell me the colour of {t}",
     "do you know which colour {t} has"),
    ("do you know what colour {t} is",),
)  # fmt: skip
MIX = Phrasings(
    ("what do you get if you mix {a} and {b}", "what colour do {a} and {b} make",
     "mix {a} and {b}"),
    ("which colour comes out if i mix {a} with {b}",),
)  # fmt: skip
OPPOSITE = Phrasings(
    ("what is the opposite of {w}", "tell me the opposite of {w}", "the opposite of {w}",
     "what's the opposite of {w}"),
    ("do you know the opposite of {w}", "can you give me the opposite of {w}"),
)  # fmt: skip
SPELLING = Phrasings(
    ("how do you spell {w}", "spell {w}", "can you spell {w}", "please spell the word {w}",
     "how is {w} spelled"),
    ("could you spell {w} for me", "tell me how to spell {w}"),
)  # fmt: skip
AFTER = Phrasings(
    ("what day comes after {d}", "which day is after {d}", "what comes after {d}",
     "which one follows {d}"),
    ("tell me what comes after {d}",),
)  # fmt: skip
BEFORE = Phrasings(
    ("what comes before {d}", "which one is before {d}", "what is right before {d}"),
    ("tell me what comes before {d}",),
)
LENGTH = Phrasings(
    ("how many days does {d} have", "how many days are there in {d}", "how long is {d}"),
    ("tell me how many days {d} has",),
)
UNIT = Phrasings(
    ("how many {s} are in {n} {u}", "how many {s} are there in {n} {u}",
     "what is {n} {u} in {s}", "convert {n} {u} to {s}", "how many {s} make {n} {u}"),
    ("can you convert {n} {u} into {s}", "tell me how many {s} are in {n} {u}"),
)  # fmt: skip


def animals(random: Random, held_out: bool = False) -> Exchange:
    name = pick(random, tuple(ANIMALS))
    sound, young, home, legs = ANIMALS[name]
    phrasing, answer, key = pick(
        random,
        (
            (SOUND, f"{article(name)} {sound}.", sound),
            (YOUNG, f"a young {name} is called {article(young)}.", young),
            (HOME, f"{article(name)} lives in {article(home)}.", home),
            (LEGS, f"{article(name)} has {spell(legs)} legs.", f"{spell(legs)} legs"),
        ),
    )
    question = phrasing.pick(random, held_out).format(a=article(name), n=name)
    return Exchange(question, sentence(answer), "animals", key)


def colours(random: Random, held_out: bool = False) -> Exchange:
    if random.random() < 0.3:
        first, second = pick(random, tuple(MIXTURES))
        result = MIXTURES[first, second]
        if random.random() < 0.5:
            first, second = second, first
        question = MIX.pick(random, held_out).format(a=first, b=second)
        return Exchange(question, f"{sentence(first)} and {second} make {result}.", "colours")
    thing = pick(random, tuple(COLOURS))
    question = COLOUR.pick(random, held_out).format(t=thing)
    answer = sentence(f"{thing} is {COLOURS[thing]}.")
    return Exchange(question, answer, "colours", f"is {COLOURS[thing]}")


def opposites(random: Random, held_out: bool = False) -> Exchange:
    word = pick(random, tuple(OPPOSITES))
    question = OPPOSITE.pick(random, held_out).format(w=word)
    other = OPPOSITES[word]
    return Exchange(question, f"The opposite of {word} is {other}.", "opposites", f"is {other}")


def spelling(random: Random, held_out: bool = False) -> Exchange:
    word = pick(random, WORDS)
    letters = ", ".join(word.upper())
    question = SPELLING.pick(random, held_out).format(w=word)
    return Exchange(question, f"{sentence(word)} is spelled {letters}.", "spelling")


def calendar(random: Random, held_out: bool = False) -> Exchange:
    names = DAYS if random.random() < 0.5 else MONTHS
    place = random.randrange(len(names))
    name, kind = names[place], random.random()
    if names is MONTHS and kind < 0.35:
        question = LENGTH.pick(random, held_out).format(d=name)
        answer = f"{name} has {spell(_LENGTHS[name])} days."
    elif kind < 0.7:
        question = AFTER.pick(random, held_out).format(d=name)
        if names is MONTHS:
            question = question.replace("day", "month")
        answer = f"After {name} comes {names[(place + 1) % len(names)]}."
    else:
        question = BEFORE.pick(random, held_out).format(d=name)
        answer = f"Before {name} comes {names[place - 1]}."
    return Exchange(question, answer, "calendar")


def units(random: Random, held_out: bool = False) -> Exchange:
    unit = pick(random, tuple(UNITS))
    factor, small = UNITS[unit]
    count = random.choice((1, 1, 2, 3, 4, 5, 10))
    plural = _PLURALS.get(unit, unit + "s")
    amount = f"one {unit}" if count == 1 else f"{spell(count)} {plural}"
    question = UNIT.pick(random, held_out).format(s=small, n=amount, u="").replace("  ", " ")
    verb = "is" if count == 1 else "are"
    answer = sentence(f"{amount} {verb} {spell(factor * count)} {small}.")
    return Exchange(question.strip(), answer, "units", f"{spell(factor * count)} {small}")
