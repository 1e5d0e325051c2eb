"""Numbers in words: counting, sums, differences and products up to two digits."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Exchange, Phrasings, sentence

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def spell(number: int) -> str:
    """A whole number from -9,999 to 9,999 in English words, without hyphens."""
    if number < 0:
        return f"minus {spell(-number)}"
    if number < 20:
        return _SMALL[number]
    if number < 100:
        rest = number % 10
        return _TENS[number // 10] + (f" {_SMALL[rest]}" if rest else "")
    unit, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number % unit
    head = f"{spell(number // unit)} {name}"
    return head + (f" {spell(rest)}" if rest else "")


SUM = Phrasings(
    ("what is {a} plus {b}", "how much is {a} plus {b}", "{a} plus {b}", "add {a} and {b}",
     "can you add {a} and {b}", "what is the sum of {a} and {b}", "calculate {a} plus {b}",
     "tell me how much {a} plus {b} is", "what does {a} plus {b} make"),
    ("please tell me what {a} plus {b} is", "what do you get for {a} plus {b}"),
)  # fmt: skip
DIFFERENCE = Phrasings(
    ("what is {a} minus {b}", "how much is {a} minus {b}", "{a} minus {b}",
     "take {b} away from {a}", "calculate {a} minus {b}", "tell me how much {a} minus {b} is",
     "what does {a} minus {b} make"),
    ("please tell me what {a} minus {b} is", "what do you get for {a} minus {b}"),
)  # fmt: skip
PRODUCT = Phrasings(
    ("what is {a} times {b}", "how much is {a} times {b}", "{a} times {b}", "multiply {a} by {b}",
     "calculate {a} times {b}", "tell me how much {a} times {b} is",
     "what does {a} times {b} make"),
    ("please tell me what {a} times {b} is", "what do you get for {a} times {b}"),
)  # fmt: skip
COUNT = Phrasings(
    ("count to {b}", "can you count to {b}", "count from one to {b}", "please count up to {b}"),
    ("i want you to count to {b}", "could you count to {b} for me"),
)
COUNT_DOWN = Phrasings(
    ("count down from {b}", "can you count backwards from {b}", "please count down from {b}"),
    ("could you count down from {b}",),
)
NEXT = Phrasings(
    ("what comes after {a}", "which number comes after {a}", "what number follows {a}"),
    ("tell me the number after {a}",),
)


def _worked(words: str, a: int, b: int, sign: str, result: int, phrasing: str) -> Exchange:
    first, second = spell(a), spell(b)
    answer = sentence(f"{first} {sign} {second} is {spell(result)}.")
    return Exchange(phrasing.format(a=first, b=second), answer, words, f"is {spell(result)}")


def arithmetic(random: Random, held_out: bool = False) -> Exchange:
    """A sum, difference or product of whole numbers under a hundred."""
    kind = random.random()
    if kind < 0.6:
        top = random.choice((10, 20, 50, 100))
        a, b = random.randrange(top), random.randrange(top)
        return _worked("sums", a, b, "plus", a + b, SUM.pick(random, held_out))
    if kind < 0.85:
        a = random.randrange(1, random.choice((11, 21, 100)))
        b = random.randrange(a + 1)
        return _worked("sums", a, b, "minus", a - b, DIFFERENCE.pick(random, held_out))
    a, b = random.randrange(1, 11), random.randrange(1, 11)
    return _worked("sums", a, b, "times", a * b, PRODUCT.pick(random, held_out))


def counting(random: Random, held_out: bool = False) -> Exchange:
    """Counting up, counting down, or the number after another."""
    kind = random.random()
    if kind < 0.4:
        top = random.randrange(3, 21)
        answer = ", ".join(map(spell, range(1, top + 1)))
        question = COUNT.pick(random, held_out).format(b=spell(top))
    elif kind < 0.6:
        top = random.randrange(3, 13)
        answer = ", ".join(map(spell, range(top, 0, -1)))
        question = COUNT_DOWN.pick(random, held_out).format(b=spell(top))
    else:
        number = random.randrange(0, 99)
        answer = f"after {spell(number)} comes {spell(number + 1)}"
        question = NEXT.pick(random, held_out).format(a=spell(number))
    return Exchange(question, sentence(answer) + ".", "counting")


def lone_number(random: Random, held_out: bool = False) -> Exchange:
    """A number said alone is read back."""
    number = random.randrange(10) if random.random() < 0.7 else random.randrange(100)
    word = spell(number)
    return Exchange(word, f"You said {word}.", "digits", word)
