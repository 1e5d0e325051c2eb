"""What SmolLM2 answers, typed: the list's reserved wordings, easy and open questions, verdicts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from models.base import FunctionCall
from models.smollm.chat import CUT, call_text
from models.smollm.network import SmolNetwork
from models.training.skills import registry
from models.training.skills.exchange import Exchange
from models.training.smollm import wishes
from models.training.smollm.dialogues import HALF, NOT_MEANT, WHOLE
from models.training.smollm.mishearing import written

MOST = 96  # tokens of one answer
CAPACITY = 1024
_ASIDE = ("saying", "narration", "open ended")  # not among the single questions that are scored

# Outside the list and its phrasings; never trained on. A question, and what a right answer holds.
OPEN: tuple[tuple[str, str], ...] = (
    ("Who wrote Macbeth?", "shakespeare"),
    ("Which planet is known for its rings?", "saturn"),
    ("What is the tallest mountain on earth?", "everest"),
    ("What language is spoken in Argentina?", "spanish"),
    ("What language do people speak in Germany?", "german"),
    ("What do bees produce?", "honey"),
    ("How many days are in a week?", "seven|7"),
    ("How many hours are in a day?", "twenty.?four|24"),
    ("What is the opposite of hot?", "cold"),
    ("What is frozen water called?", "ice"),
    ("Which animal says meow?", "cat"),
    ("What color is the sky on a clear day?", "blue"),
    ("What is the capital city of Italy?", "rome"),
    ("Which ocean lies between Europe and America?", "atlantic"),
    ("Who was the first person to walk on the moon?", "armstrong"),
    ("What do plants need to grow?", "sun|light|water"),
    ("What is H2O?", "water"),
    ("How many legs does a spider have?", "eight|8"),
    ("Which country is famous for pizza and pasta?", "ital"),
    ("Where do camels live?", "desert|africa|asia|sahara|east"),
    ("What is the largest animal on earth?", "whale"),
    ("Who painted the Sistine Chapel?", "michelangelo"),
    ("What is the currency of India?", "rupee"),
    ("What gas do we breathe in?", "oxygen|air"),
    ("How many minutes are in half an hour?", "thirty|30"),
    ("What is the square root of nine?", "three|3"),
    ("What season comes after winter?", "spring"),
    ("What is the main ingredient of bread?", "flour|wheat"),
    ("What do you call a baby dog?", "pup"),
    ("Which bird cannot fly?", "penguin|ostrich|emu|kiwi"),
    ("What is the hardest natural material?", "diamond"),
    ("Who discovered gravity?", "newton"),
    ("What is the center of our solar system?", "sun"),
    ("What is a trumpet?", "instrument|brass|music|horn"),
    ("What instrument has black and white keys?", "piano"),
    ("Why do we wear coats in winter?", "warm|cold"),
    ("Why do we brush our teeth?", "clean|health|cavit|decay"),
    ("Why do people drink coffee?", "awake|wake|energy|alert|taste|caffeine|tired"),
    ("How do I make a cup of coffee?", "water|coffee"),
    ("How do I boil potatoes?", "water"),
    ("How can I improve my English?", "practi|speak|read|listen|learn|writ"),
    ("How can I improve my time management skills?", "list|plan|priorit|task|schedule|goal|import"),
    ("How should I prepare for a long trip?", "pack|plan|bring|list|food|check|water"),
    ("What should I do with a bleeding finger?", "clean|press|wash|rinse|cover|water|bandage"),
    ("What are some good ways to relax?", "breath|walk|music|read|sleep|bath|rest|quiet|meditat"),
    ("Is it safe to swim in the Seine?", "."),
    ("What can I cook with eggs?", "omelet|fry|fried|pancake|boil|scrambl|egg"),
    ("Give me a tip for learning to draw.", "practi|draw|start|shape|line"),
    ("Which board game can I play with my family?", "."),
    ("Tell me something about cats.", "cat"),
    ("Tell me about the sun.", "star|hot|light|energy|solar"),
    ("What is a bakery?", "bread|cake|bake|pastr"),
    ("What is a bicycle?", "wheel|ride|vehicle|pedal"),
    ("What is friendship?", "care|trust|friend|bond|people"),
    ("Do fish sleep?", "yes|rest|sleep"),
    ("Is the earth flat?", "no|round|sphere|not"),
    ("Should I drink more water?", "yes|water|should"),
    ("I'm feeling stressed today.", "."),
    ("My name is Lucy.", "lucy"),
    ("Thanks, that was helpful.", "."),
)  # fmt: skip
UNKNOWABLE: tuple[str, ...] = (
    "What's the weather going to be like tomorrow?", "Is it going to rain this afternoon?",
    "What time is it right now?", "Who won the basketball game last night?",
    "What are today's headlines?", "What did I have for breakfast?",
    "What's the traffic like this morning?", "Where are my keys?",
    "How cold is it outside?", "What's the latest news about the election?",
    "What is my brother's phone number?", "When is the next train?",
)  # fmt: skip
EASY: tuple[tuple[str, str], ...] = (
    *((f"What is the capital of {country}?", city.lower()) for country, city in (
        ("Spain", "Madrid"), ("France", "Paris"), ("Japan", "Tokyo"), ("Norway", "Oslo"),
        ("Egypt", "Cairo"), ("Peru", "Lima"), ("Kenya", "Nairobi"), ("Canada", "Ottawa"),
        ("Greece", "Athens"), ("Cuba", "Havana"), ("Russia", "Moscow"), ("Portugal", "Lisbon"),
        ("China", "Beijing"), ("Ireland", "Dublin"), ("Poland", "Warsaw"), ("Chile", "Santiago"),
    )),
    ("What is seven plus five?", "twelve|12"), ("What is nine plus nine?", "eighteen|18"),
    ("How much is fifty minus ten?", "forty|40"), ("What is six times seven?", "forty two|42"),
    ("What is twenty plus thirty?", "fifty|50"), ("What is ten minus three?", "seven|7"),
    ("What is the opposite of big?", "small|little"), ("What is the opposite of happy?", "sad"),
    ("What is the opposite of new?", "old"), ("What is the opposite of loud?", "quiet"),
    ("What day comes after Friday?", "saturday"), ("What comes after March?", "april"),
    ("What comes before Tuesday?", "monday"), ("How many days does May have?", "thirty one|31"),
    ("What colour is snow?", "white"), ("What is a young cat called?", "kitten"),
    ("How many legs does a dog have?", "four|4"), ("Tell me a story about a robot.", "robot"),
    ("Why is the sky blue?", "light"), ("Who are you?", "nano"),
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """Right of asked, by kind, and what was wrong."""

    asked: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, is_right: bool, question: str, answer: str) -> None:
        self.asked[kind] += 1
        self.right[kind] += is_right
        if not is_right:
            self.wrong.append((question, answer))

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {self.right[kind]}/{n}" for kind, n in self.asked.items())
        return f"{self.right.total()} of {self.asked.total()} ({kinds})"


class Speaker:
    """Asks a network, typed, without sound."""

    def __init__(self, network: SmolNetwork) -> None:
        self.network = network

    def opened(self, tools: Sequence[str] = ()) -> list[int]:
        return self.network.chat.opening("", tools)

    def answer(self, before: list[int], question: str) -> tuple[list[int], str, bool]:
        """The conversation after it, the text, and whether it was a call."""
        chat = self.network.chat
        ids = [*before, *chat.turn("user"), *chat.encode(question), *chat.close()]
        return self.go_on([*ids, *chat.turn("assistant")])

    def go_on(self, ids: list[int]) -> tuple[list[int], str, bool]:
        chat, cache = self.network.chat, self.network.cache(CAPACITY)
        scores, said = self.network.read(cache, ids), list[int]()
        while len(said) < MOST:
            token = int(scores.argmax())
            if token == chat.end:
                break
            said.append(token)
            scores = self.network.read(cache, [token])
        is_call = said[:1] == [chat.call]
        text = chat.decode(token for token in said if token not in chat.markers)
        return [*ids, *said, *chat.close()], text, is_call

    def verdict(self, before: list[int], words: str) -> int:
        """WHOLE, HALF or NOT_MEANT."""
        chat, cache = self.network.chat, self.network.cache(CAPACITY)
        ids = [*before, *chat.turn("user"), *chat.encode(words)]
        scores = self.network.read(cache, ids)
        order = {WHOLE: chat.end, HALF: chat.unfinished, NOT_MEANT: chat.noise}
        return int(np.argmax([scores[order[place]] for place in range(len(order))]))


def reserved(speaker: Speaker, count: int = 240, seed: int = 77, lower: bool = False) -> Tally:
    """The list's single questions in wordings kept back, as a person types them."""
    random, tally = Random(seed), Tally()
    names = tuple(
        s.name for s in registry.SKILLS if s.language is registry.EN and s.name not in _ASIDE
    )
    for _ in range(count):
        asked = registry.exchange(random, True, names)
        question = asked.question.lower() if lower else _typed(asked.question)
        _, text, is_call = speaker.answer([], question)
        tally.add(asked.skill, not is_call and registry.judge(asked, text), question, text)
    return tally


def conversations(speaker: Speaker, count: int = 120, seed: int = 78) -> Tally:
    """Going on, recalling, repeating, functions: the last exchange in wordings kept back."""
    random, tally = Random(seed), Tally()
    while tally.asked.total() < count:
        made = registry.dialogue(random, True, chinese=0.0)
        last = made.exchanges[-1]
        if len(made.exchanges) < 2 and not made.tools:
            continue
        if any(each.scenes for each in made.exchanges):
            continue
        before = speaker.opened(made.tools)
        for each in made.exchanges[:-1]:
            before += _given(speaker, each)
        _score_call(speaker, tally, before, last)
    return tally


def typed_functions(speaker: Speaker, count: int = 100, seed: int = 79) -> Tally:
    """Functions with arguments of several types and transfers; the values are new, the wordings are
    not kept back."""
    random, tally = Random(seed), Tally()
    for place in range(count):
        made = (wishes.transfer if place % 4 == 0 else wishes.typed_function)(random)
        _score_call(speaker, tally, speaker.opened(made.tools), made.exchanges[0])
    return tally


def _score_call(speaker: Speaker, tally: Tally, before: list[int], asked: Exchange) -> None:
    chat, question = speaker.network.chat, _typed(asked.question)
    ids, text, is_call = speaker.answer(before, question)
    call = chat.parse_call(chat.encode(text)) if is_call else None
    tally.add(asked.skill, registry.judge(asked, "" if is_call else text, call), question, text)
    if asked.call is not None and is_call:
        after = [*ids, *chat.turn("tool"), *chat.encode(asked.result), *chat.close()]
        _, report, _ = speaker.go_on([*after, *chat.turn("assistant")])
        tally.add("reports", report.lower() == asked.report.lower(), asked.result, report)


def _given(speaker: Speaker, exchange: Exchange) -> list[int]:
    chat = speaker.network.chat
    said = exchange.answer + (CUT if exchange.cut else "")
    if exchange.call is not None:
        said = call_text(FunctionCall(exchange.call.name, exchange.call.arguments))
    return [
        *chat.turn("user"), *chat.encode(_typed(exchange.question)), *chat.close(),
        *chat.turn("assistant"), *chat.encode(said), *chat.close(),
    ]  # fmt: skip


def keyed(
    speaker: Speaker, questions: Sequence[tuple[str, str]], lower: bool = False
) -> tuple[Tally, list[tuple[str, str]]]:
    """Questions whose right answers hold a word; all answers, to be read."""
    tally, said = Tally(), list[tuple[str, str]]()
    for question, key in questions:
        asked = question.lower().rstrip("?.") if lower else question
        _, text, is_call = speaker.answer([], asked)
        is_right = not is_call and "cannot answer" not in text
        is_right = is_right and re.search(key, text.lower().replace("-", " ")) is not None
        tally.add("questions", is_right, asked, text)
        said.append((asked, text))
    return tally, said


def refused(speaker: Speaker) -> Tally:
    """What no assistant can know: the right answer says so."""
    tally = Tally()
    for question in UNKNOWABLE:
        _, text, _ = speaker.answer([], question)
        no = re.search(r"cannot|no clock|can't|don't (know|have)|unable|sorry", text.lower())
        tally.add("refused", no is not None, question, text)
    return tally


def verdicts(speaker: Speaker, count: int = 150, seed: int = 80) -> Tally:
    """Of words alone: whole questions in reserved wordings, their beginnings, talk to others, and
    open questions."""
    random, tally = Random(seed), Tally()
    for place in range(count):
        if place % 3 == 2:
            words = written(random, registry.not_meant(random, 0.0))
            wanted, kind = NOT_MEANT, "talk"
        else:
            words, wanted, kind = _typed(registry.exchange(random, True).question), WHOLE, "whole"
            if place % 3 == 1 and len(words.split()) > 3:
                kept = random.randrange(2, len(words.split()))
                words, wanted, kind = " ".join(words.split()[:kept]), HALF, "begun"
        found = speaker.verdict([], words)
        tally.add(kind, found == wanted, words, str(found))
    for question, _ in OPEN:
        found = speaker.verdict([], question)
        tally.add("open", found == WHOLE, question, str(found))
    return tally


def _typed(text: str) -> str:
    """As people type: a capital first and "I" large, a question mark behind questions."""
    asks = text.lower().startswith(("what", "which", "how", "where", "who", "why", "can", "could",
                                    "do ", "is ", "are ", "will "))  # fmt: skip
    made = re.sub(r"\bi\b", "I", text[:1].upper() + text[1:])
    return made + ("?" if asks else "")
