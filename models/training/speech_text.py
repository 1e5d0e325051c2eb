"""What the teacher voice reads aloud: the answers, sentences made from a grammar, single words."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from models.vita.mandarin import HAN

WORDS: dict[str, str] = {
    "name": "anna peter maria john emma david laura paul sofia george alice martin julia robert",
    "person": "man woman child teacher doctor farmer baker king queen sailor neighbour friend girl "
    "boy grandmother painter driver captain student gardener carpenter shepherd miller brother",
    "animal": "dog cat horse cow sheep goat pig rabbit fox wolf bear lion tiger elephant giraffe "
    "monkey mouse frog duck goose owl eagle penguin whale dolphin shark bee ant spider turtle",
    "thing": "book table chair lamp window door clock phone cup bottle key letter picture basket "
    "box bag hat coat shoe ring bell stone rope wheel boat bridge ladder candle mirror machine "
    "knife spoon pencil paper ball kite drum map coin bowl bucket blanket pillow garden",
    "food": "bread cheese apple orange banana lemon cherry rice soup cake butter honey sugar milk "
    "water coffee tea juice chocolate potato tomato onion carrot egg salad fish pepper salt cream",
    "place": "house kitchen garden forest river mountain village city street school market "
    "station harbour island beach valley castle library hospital church field tower bakery museum",
    "country": "france germany italy spain portugal norway sweden finland denmark poland greece "
    "turkey egypt kenya nigeria china japan india thailand vietnam australia canada mexico brazil "
    "argentina chile peru cuba ireland scotland austria hungary switzerland belgium morocco",
    "city": "paris berlin rome madrid lisbon oslo stockholm helsinki copenhagen warsaw athens "
    "ankara cairo nairobi beijing tokyo delhi bangkok hanoi canberra ottawa brasilia london "
    "santiago lima havana dublin edinburgh vienna budapest bern brussels amsterdam prague moscow",
    "colour": "red blue green yellow white black brown grey orange purple pink golden silver",
    "quality": "big small old young new long short high low warm cold hot dark bright quiet loud "
    "happy sad slow fast strong weak kind clever brave lazy hungry tired empty full heavy light "
    "wet dry clean soft hard sweet sour rich poor wide narrow deep safe wild gentle strange busy",
    "adverb": "slowly quickly quietly often always never today tomorrow again together carefully "
    "soon sometimes early late happily suddenly finally gently easily",
    "past": "found saw took made heard carried opened closed painted lost bought sold watched "
    "followed helped called loved kept broke built cleaned washed moved pulled pushed wanted "
    "liked remembered forgot showed gave brought left stopped started changed counted",
    "present": "finds sees takes makes hears carries opens needs wants likes keeps builds cleans "
    "moves holds brings shows eats drinks knows uses gives follows becomes turns covers reaches",
    "number": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand",
    "unit": "seconds minutes hours days weeks months years metres kilometres miles inches feet "
    "grams kilograms pounds litres degrees",
    "day": "monday tuesday wednesday thursday friday saturday sunday",
    "month": "january february march april may june july august september october november "
    "december",
    "science": "light sound heat energy gravity electricity air ice steam rain wind snow salt iron "
    "gold glass wood plants leaves roots seeds blood bones muscles clouds stars planets the sun "
    "the moon the earth the sea oxygen carbon pressure volcanoes earthquakes magnets",
}

PATTERNS: tuple[str, ...] = (
    "the {quality} {person} {past} the {thing} in the {place}.",
    "the {animal} {present} a {quality} {thing}, and the {person} {present} it {adverb}.",
    "{name} {past} {number} {colour} {thing}s near the {place} on {day}.",
    "the capital of {country} is {city}.",
    "{city} is a city in {country}, and it is very {quality}.",
    "{number} plus {number} is {number}.",
    "{number} times {number} makes {number} {number}.",
    "there are {number} {unit} in {number} {unit}.",
    "the opposite of {quality} is {quality}.",
    "one {quality} {food} with {food} and {food}, is that right?",
    "i can {adverb} tell you about {science}, {animal}s and {food}.",
    "when {science} meets {science}, it becomes {quality} and {quality}.",
    "{science} {present} {science} because the {thing} is {quality}.",
    "once upon a time, a {quality} {animal} lived in a {place} with {number} {animal}s.",
    "every {day} in {month} the {person} {past} the {quality} {place} {adverb}.",
    "do you know why the {animal} is {quality}?",
    "what did the {person} say to the {animal}?",
    "i am sorry, {name}, i do not know that {thing}.",
    "{day} comes after {day}, and {month} comes before {month}.",
    "in the picture i see {number} {colour} {thing}s and a {colour} {thing}.",
    "yes, of course! the {thing} is {quality} now.",
    "no, that was not the {thing}, it was the {thing}.",
    "we {past} it, they {past} it, and then she {past} all of it.",
    "who {past} my {thing}? where is your {thing}? how many {animal}s are there?",
    "if you {adverb} go from {city} to {city}, you will see the {place} first.",
    "a {animal} has {number} legs, but a {animal} has only {number}.",
    "his {thing} and her {thing} were under our {thing}, between the {place} and the {place}.",
    "{quality}, {quality} and {quality}.",
    "please wait, i am looking for the {quality} {thing} from {country}.",
    "{colour} and {colour} together make {colour}.",
)

_WORD = re.compile(rf"[a-z']+|[{HAN}]")
_SLOT = re.compile(r"{(\w+)}")


def grammar_sentences(count: int, seed: int) -> list[str]:
    """`count` sentences of the grammar; the same for the same seed."""
    choose = random.Random(seed)
    lists = {slot: words.split() for slot, words in WORDS.items()}

    def fill(match: re.Match[str]) -> str:
        return choose.choice(lists[match.group(1)])

    return [_SLOT.sub(fill, choose.choice(PATTERNS)) for _ in range(count)]


def word_lists(sentences: Iterable[str], seed: int, times: int = 1) -> list[str]:
    """Every word of the sentences `times` times, shuffled into lists of three to six words, so
    that a word is known outside the sentence that it usually stands in."""
    words = sorted({word for sentence in sentences for word in re.findall(r"[a-z']+", sentence)})
    choose = random.Random(seed)
    lists = []
    for _ in range(times):
        choose.shuffle(words)
        lists += [", ".join(group) + "." for group in _groups(words, choose)]
    return lists


def _groups(words: Sequence[str], choose: random.Random) -> list[Sequence[str]]:
    groups, start = [], 0
    while start < len(words):
        end = start + choose.randint(3, 6)
        groups.append(words[start:end])
        start = end
    return groups


def balanced(sentences: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` of the sentences, those first whose words have been rare so far: a thousand sums
    must not drown the one story."""
    choose = random.Random(seed)
    queue = list(dict.fromkeys(sentences))
    choose.shuffle(queue)
    known = [(text, set(_WORD.findall(text.lower()))) for text in queue]
    seen: Counter[str] = Counter()
    chosen: list[str] = []
    limit = 1
    while known and len(chosen) < count:
        rest = []
        for text, words in known:
            if len(chosen) < count and min((seen[word] for word in words), default=limit) < limit:
                chosen.append(text)
                seen.update(words)
            else:
                rest.append((text, words))
        known, limit = rest, limit + 1
    return chosen
