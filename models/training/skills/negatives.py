"""What is not meant for the assistant: statements, talk to somebody else, backchannels."""

from __future__ import annotations

from random import Random

from models.training.skills import coffee, everyday, geography, numbers
from models.training.skills.exchange import pick
from models.training.skills.explanations import EXPLANATIONS
from models.training.skills.stories import STORIES

BACKCHANNELS = (
    "mhm", "uh huh", "yeah", "right", "okay", "i see", "oh", "hmm", "yes yes", "wow", "really",
    "sure", "aha", "of course", "all right", "oh yes", "exactly", "well", "um", "uh", "mm", "ah",
    "yes", "no", "cool", "oh really", "interesting", "true", "so so",
)  # fmt: skip
_NAMES = (
    "tom", "anna", "peter", "mum", "dad", "maria", "john", "lisa", "david", "sarah", "honey",
    "paul", "emma", "doctor", "sir", "guys", "kate", "max", "julia", "ben",
)  # fmt: skip
_WISHES = (
    "can you pass me the salt", "where did you put the keys", "are you coming with us",
    "did you see the letter", "have you fed the cat", "is dinner ready", "close the door please",
    "what did the teacher say", "when will you be back", "how was your day", "come here please",
    "could you help me with this box", "who was on the phone", "do you want some more soup",
    "let us go home", "did you lock the car", "what do you want for lunch", "give me your hand",
    "look at that dog", "why are you laughing", "put that down", "what time are you leaving",
    "where are my glasses", "can you pick up the children", "is there any milk left",
)  # fmt: skip
_ASKS = (
    "can you", "could you", "will you", "please", "would you", "do not", "did you", "have you",
    "you have to", "let me", "shall we", "remember to", "why did you not", "did they", "we should",
)  # fmt: skip
_DEEDS = (
    "bring {t} {p}", "put {t} {p}", "take {t} {p}", "look for {t}", "wash {t}", "give {t} to {w}",
    "show {t} to {w}", "ask {w} about {t}", "wait for {w} {p}", "talk to {w}", "call {w} later",
    "buy {t}", "forget {t} {p}", "tell {w} that we are late", "leave {t} {p}", "help {w} with {t}",
    "close {t}", "carry {t} for {w}", "sit next to {w}", "go {p} with {w}", "hold {t}", "fix {t}",
)  # fmt: skip
_THINGS = (
    "the keys", "the box", "my coat", "the big bag", "your shoes", "the window", "the bread",
    "that letter", "the salt", "the car", "some plates", "the blue chair", "his phone", "the dog",
    "the other one", "a towel", "the lights in the hall", "the money", "these flowers",
    "my glasses",
)  # fmt: skip
_PLACES = (
    "in the kitchen", "on the table", "outside", "at the station", "to the car", "next door",
    "in here", "over there", "upstairs", "at school", "in the garden", "before lunch", "tonight",
)  # fmt: skip
_PERSONS = (
    "the children", "your brother", "grandma", "him", "her", "the neighbours", "the driver",
    "my boss", "them", "the waiter", "your mother",
)  # fmt: skip
_SUBJECTS = (
    "the man", "my sister", "the old woman", "our neighbour", "the teacher", "he", "she", "they",
    "we", "the children", "a friend of mine", "the captain", "my uncle", "the whole family", "i",
    "the people there", "nobody", "the girl in the blue coat", "his wife", "the doctor",
)  # fmt: skip
_DOINGS = (
    "went to the market", "had never seen the sea", "looked out of the window", "bought a new car",
    "was sitting by the fire", "did not answer", "came home very late", "wanted to leave",
    "talked about the weather", "found a letter under the door", "was waiting at the station",
    "could hardly believe it", "put the book on the table", "opened the old box", "ran up the hill",
    "worked there for many years", "walked slowly along the river", "lost the game", "laughed",
    "forgot the umbrella", "heard a strange noise", "cooked a soup with potatoes",
)  # fmt: skip
_TIMES = (
    "in the morning", "yesterday", "last summer", "after the war", "at the end of the day",
    "when the rain began", "on that day", "before the sun came up", "two years ago", "again",
    "with great care", "without a word", "and so it was", "as if nothing had happened", "at last",
    "for the first time", "because it was cold", "but it was too late", "near the old bridge", "",
)  # fmt: skip
_NOUNS = (
    "table", "road", "coat", "painting", "train", "soup", "lake", "crowd", "engine", "roof",
    "letter", "wooden box", "red flag", "young horse", "east wind", "kettle", "north gate", "ship",
    "brown dog", "new bridge", "cellar", "glass", "tall fence", "orchard", "last page", "blanket",
    "cold water", "office", "second floor", "tin cup", "market square", "harvest", "straw hat",
    "piano", "ladder", "meeting", "wedding", "football team", "weather", "film", "garden",
    "price of bread", "evening",
)  # fmt: skip
_STATES = (
    "is on the left", "was painted twice", "needs more salt", "leads to the village", "fell apart",
    "was sold for a good price", "looks better in the sun", "came late again", "was a present",
    "broke in two", "was covered with dust", "lies under the stairs", "turned out well",
    "belongs to my aunt", "is heavier than it looks", "was quiet and dark", "has no handle",
    "starts at nine", "must be cleaned by hand", "smells of smoke", "was full of people",
    "stood in the corner for years", "made everybody laugh", "is almost finished",
    "went down the hill", "can be seen from far away", "was better last year", "costs too much",
)  # fmt: skip
_ORDERS = (  # as in a book of instructions
    "add the flour when the butter is soft", "turn the key and push the door", "stir twice a day",
    "read the next line before you answer", "cut along the dotted line", "shake well before use",
    "keep the lid on the pot for an hour", "let the paint dry overnight", "fold the paper once",
    "loosen the four screws at the back", "rinse the rice until the water is clear",
)  # fmt: skip
_WORDS = (
    "computer", "mirror", "window", "umbrella", "mountain", "history", "ceiling", "pencil",
    "garden", "elephant", "holiday", "morning", "carpet", "engine", "paper", "basket", "jacket",
    "alpha", "kitchen", "bottle", "hammer", "island", "jarvis", "athena", "alexa", "blueberry",
    "smart mirror", "view glass", "hey computer", "snow", "hospital", "forest", "machine",
    "picture", "river", "camera", "doorbell", "porcupine", "grape fruit", "terminator",
    "bumblebee", "hey mirror", "okay window", "saxophone", "purple", "marvin", "sheila", "happy",
    "house", "tree", "bird", "bed", "forward", "backward", "visual", "learn", "follow", "left",
    "up", "down", "birthday", "apple pie", "snow man", "glass", "magic mirror", "tomato",
    "orange", "village", "butter", "sister", "number", "corner", "yellow river", "view point",
    "jarvis please", "hey jarvis", "hello computer", "monday evening", "football", "railway",
    "summer rain", "guitar", "doctor", "captain", "nothing", "somebody", "everything",
    "mister brown", "eight o'clock",
)  # fmt: skip


def narrative(random: Random) -> str:
    """One or two made-up sentences, as in a book read aloud."""
    first = f"{pick(random, _SUBJECTS)} {pick(random, _DOINGS)} {pick(random, _TIMES)}"
    if random.random() < 0.4:
        joint = pick(random, ("and", "but", "while", "because", "and then"))
        first = f"{first.strip()} {joint} {pick(random, _SUBJECTS)} {pick(random, _DOINGS)}"
    return first.strip()


def statement(random: Random) -> str:
    """One sentence about something, or a line out of instructions."""
    if random.random() < 0.15:
        return pick(random, _ORDERS)
    said = f"{pick(random, ('the', 'the', 'a', 'that', 'our', 'his'))} {pick(random, _NOUNS)}"
    said = f"{said} {pick(random, _STATES)}"
    if random.random() < 0.3:
        said = f"{said} {pick(random, ('and', 'but', 'because'))} the {pick(random, _NOUNS)} "
        return said + pick(random, _STATES)
    return said


def request(random: Random) -> str:
    """What people in a room ask of each other."""
    deed = pick(random, _DEEDS).format(
        t=pick(random, _THINGS), p=pick(random, _PLACES), w=pick(random, _PERSONS)
    )
    return f"{pick(random, _ASKS)} {deed}"


def side_talk(random: Random) -> str:
    """Talk that names somebody else, even with a question that the assistant could answer."""
    kind = random.random()
    if kind < 0.3:
        return request(random)
    if kind < 0.55:
        maker = pick(
            random, (geography.geography, everyday.animals, numbers.arithmetic, coffee.order)
        )
        said = maker(random).question
    else:
        said = request(random) if random.random() < 0.5 else pick(random, _WISHES)
    name = pick(random, _NAMES)
    return f"{name} {said}" if random.random() < 0.75 else f"{said} {name}"


def _told(random: Random) -> str:
    texts = (*STORIES.values(), *EXPLANATIONS.values())
    return pick(random, pick(random, texts).split(". ")).rstrip(".")


def _fact(random: Random) -> str:
    maker = pick(random, (geography.geography, everyday.animals, everyday.colours,
                          everyday.opposites, numbers.arithmetic, everyday.units,
                          everyday.calendar, coffee.order))  # fmt: skip
    return maker(random).answer


def not_meant(random: Random) -> str:
    """Words, of any length, that are no query."""
    makers = (
        _fact, coffee.statement, narrative, statement, statement, side_talk, side_talk, _told,
    )  # fmt: skip
    kind = random.random()
    if kind < 0.16:
        return pick(random, BACKCHANNELS)
    if kind < 0.25:
        return pick(random, _WORDS)
    return pick(random, makers)(random)
