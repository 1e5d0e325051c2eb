"""Where training conversations come from: made from text, from spoken corpora, from recordings."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import accumulate
from random import Random
from typing import Any

import numpy as np

from models.order_slots import parse_label, read_back
from models.training.clips import Clip
from models.training.earlier import Asked, EarlierTurns
from models.training.gathering import balanced, gathered, parted_talk, recorded, single_questions
from models.training.hearing import Ear, ListeningResult
from models.training.misreading import Misreading
from models.training.pictured import PicturedMaterial
from models.training.pinyin import is_chinese, parted, words_of
from models.training.preceding import OVER_ANSWER, QUESTION, TALK, Preceding, PrecedingShares
from models.training.sequences import Sequence, Sound, Writer
from models.training.simulation import Simulated, simulate
from models.training.skills.exchange import Exchange, ToolCall
from models.training.skills.mandarin.negatives import BACKCHANNELS as CHINESE_BACKCHANNELS
from models.training.skills.negatives import BACKCHANNELS as ENGLISH_BACKCHANNELS
from models.training.skills.registry import CHINESE, dialogue, drill, not_meant
from models.training.skills.registry import exchange as one_exchange
from models.training.skills.skill import Language
from models.vita.nano_prompt import NanoPrompt

DICTATED = 0.05  # share of conversations that ask for the words of a sound
CLEAR, HARDLY = (0.02, 0.22), (0.3, 0.75)  # shares of letters that are wrong
UNCLEAR = 0.45  # share of English sounds whose letters are hardly right: the words count
REFUSED = 0.18  # share of written conversations that are not meant for the assistant
BROKEN = 0.2  # share of conversations that break off in the middle of a question
MISHEARD = 0.35  # share of English clips that come in the sound of others
PERSON = 0.5  # share of those others that are people
NEURAL = 4  # how much more often a neural voice is heard than another
DRILL = 0.1  # share of sums in a row among written conversations
BACKCHANNELS = frozenset(ENGLISH_BACKCHANNELS + CHINESE_BACKCHANNELS)
_FIELDS = {each.name for each in fields(Exchange)}


def restored(entry: dict[str, Any]) -> Exchange:
    """An exchange as it was written into a corpus."""
    known = {name: value for name, value in entry.items() if name in _FIELDS}
    if known.get("call"):
        known["call"] = ToolCall(**known["call"])
    return Exchange(**known)


class WrittenMaterial:
    """Endless conversations in which every sound is simulated letters; `chinese` is a share."""

    def __init__(
        self,
        prompt: NanoPrompt,
        seed: int,
        typed: float = 0.35,
        pictures: float = 0.0,
        chinese: float = CHINESE,
        misreading: Misreading | None = None,
    ) -> None:
        self._chinese = chinese
        self._random, self._draw = Random(seed), np.random.default_rng(seed)
        self._writer = Writer(prompt, seed, (misreading or Misreading(seed)).words)
        self._typed, self._pictures = typed, pictures
        self._pictured = PicturedMaterial(
            self._writer, self._random, self.sound, lambda: None, chinese
        )
        self._preceding = Preceding(self._writer, self._random, self.sound, chinese)
        self._earlier = EarlierTurns(self._writer, self._random, self.asked, chinese)

    def __call__(self) -> Sequence:
        random = self._random
        if random.random() < self._pictures:
            return self._pictured()
        kind = random.random()
        if kind < REFUSED:
            return self._refused()
        if kind < REFUSED + BROKEN:
            return self._broken()
        if kind < REFUSED + BROKEN + DRILL:
            return self._drilled()
        if kind < REFUSED + BROKEN + DRILL + DICTATED:
            return self._dictated()
        made = dialogue(random, chinese=self._chinese)
        sequence = self._begun(made.tools)
        if len(made.exchanges) == 1:
            _precede(self._preceding, sequence, made.exchanges[0])
        for exchange in made.exchanges:
            self._writer.exchange(sequence, exchange, self.sound(exchange.question))
        return sequence

    def asked(self, chinese: bool) -> Asked:
        """A question by itself, with its answer, as letters or typed."""
        language = Language.CHINESE if chinese else Language.ENGLISH
        made = one_exchange(self._random, language=language)
        return made, self.sound(made.question)

    def _begun(self, tools: tuple[str, ...] = ()) -> Sequence:
        """A conversation up to the turn that it is about."""
        sequence = self._writer.opening(tools)
        self._earlier.write(sequence)
        return sequence

    def _drilled(self) -> Sequence:
        """Sums in a row, most of them typed: that takes a third of the places."""
        made = drill(self._random, self._chinese)
        sequence = self._writer.opening(made.tools)
        spoken = self._random.random() < 0.3
        for exchange in made.exchanges:
            sound = self.sound(exchange.question) if spoken else None
            self._writer.exchange(sequence, exchange, sound)
        return sequence

    def _dictated(self) -> Sequence:
        question = dialogue(self._random, chinese=self._chinese).exchanges[0].question
        sequence = self._begun()
        sound = simulate(self._draw, question, float(self._draw.uniform(*CLEAR)))
        self._writer.dictate(sequence, sound, question)
        return sequence

    def _broken(self) -> Sequence:
        """A question without its last words."""
        question = dialogue(self._random, chinese=self._chinese).exchanges[0].question
        said = parted(question, self._random.random())
        whole = said == question  # the rare question of one word cannot break off
        sequence = self._begun()
        self._preceding.write(sequence, QUESTION, is_chinese(question))
        sound = replace(simulate(self._draw, said), whole=whole)
        self._writer.leave(sequence, sound)
        return sequence

    def sound(self, text: str) -> Simulated | None:
        """A text as letters, or None: it is typed."""
        if self._random.random() < self._typed:
            return None
        unclear = self._random.random() < UNCLEAR and not is_chinese(text)
        error = float(self._draw.uniform(*(HARDLY if unclear else CLEAR)))
        return replace(simulate(self._draw, text, error), unclear=unclear)

    def _refused(self) -> Sequence:
        sequence = self._begun()
        words = not_meant(self._random, self._chinese)
        shares = OVER_ANSWER if words in BACKCHANNELS else TALK
        self._preceding.write(sequence, shares, is_chinese(words))
        unclear = self._random.random() < UNCLEAR and not is_chinese(words)
        error = float(self._draw.uniform(*(HARDLY if unclear else CLEAR)))
        sound = replace(simulate(self._draw, words, error), unclear=unclear)
        self._writer.refuse(sequence, sound)
        return sequence


class SpokenMaterial:
    """Endless conversations from corpora and recordings, mixed with written ones."""

    def __init__(
        self,
        prompt: NanoPrompt,
        ear: Ear,
        seed: int,
        written: float = 0.3,
        people: float = 0.17,
        pictures: float = 0.0,
    ) -> None:
        self._random, self._ear = Random(seed), ear
        misreading = Misreading.of(ear.stores, seed)
        self._writer = Writer(prompt, seed, misreading.words)
        self._written = WrittenMaterial(prompt, seed, misreading=misreading)
        self._shares, self._pictures = (written, people), pictures
        self._questions = gathered(ear.stores, "pictures")
        said = self._written.sound
        self._pictured = PicturedMaterial(self._writer, self._random, said, self._question)
        self._preceding = Preceding(self._writer, self._random, said, CHINESE)
        self._earlier = EarlierTurns(self._writer, self._random, self._asked, CHINESE)
        self._dialogues = gathered(ear.stores, "dialogues")
        shares = balanced([entry for _, entry in self._dialogues])
        heard = (entry["exchanges"][-1]["clip"] for _, entry in self._dialogues)
        neural = [
            ear.stores[store].clips[number].speaker.startswith("kokoro-")
            for (store, _), number in zip(self._dialogues, heard, strict=True)
        ]
        self._weights = list(
            accumulate(
                share * (NEURAL if is_neural else 1)
                for share, is_neural in zip(shares, neural, strict=True)
            )
        )
        self._backchannels, self._talk = parted_talk(ear.stores)
        self._orders = recorded(ear.stores, ("order",))
        self._sounds = recorded(ear.stores, ("noise", "noise", "echo"))
        self._speech = recorded(ear.stores, ("speech", "word"))
        self._persons = recorded(ear.stores, ("speech", "order"))
        self._singles = single_questions(self._dialogues)

    def __call__(self) -> Sequence:
        if self._random.random() < self._pictures:
            return self._pictured()
        kind, (written, people) = self._random.random(), self._shares
        if kind < written:
            return self._written()
        if kind < written + people and self._orders:
            return self._person()
        if kind < written + people + 0.15:
            return self._refused()
        if kind < written + people + 0.15 + BROKEN:
            return self._broken()
        if kind < written + people + 0.15 + BROKEN + DICTATED:
            return self._dictated()
        return self._conversation()

    def _hear(self, store: int, number: int, *, whole: bool = True) -> ListeningResult:
        """A clip as it is heard; some English ones in the sound of another clip."""
        sound = self._ear.hear(store, number, whole=whole)
        if is_chinese(sound.clip.text) or self._random.random() >= MISHEARD:
            return sound
        return self._ear.mishear(sound, *self._somebody())

    def _somebody(self) -> tuple[int, int]:
        """A clip in whose sound others are heard. People's clips are among them, or a person's
        voice alone would say that it is an order, or talk."""
        if self._persons and self._random.random() < PERSON:
            return self._random.choice(self._persons)
        store, entry = self._random.choices(self._dialogues, cum_weights=self._weights)[0]
        return store, entry["exchanges"][0]["clip"]

    def _begun(self, tools: tuple[str, ...] = ()) -> Sequence:
        """A conversation up to the turn that it is about."""
        sequence = self._writer.opening(tools)
        self._earlier.write(sequence)
        return sequence

    def _asked(self, chinese: bool) -> Asked:
        """A question by itself, with its answer: a clip, or letters."""
        random = self._random
        if not chinese and self._orders and random.random() < 0.1:
            place = random.choice(self._orders)
            return person_exchange(self._ear.stores[place[0]].clips[place[1]]), self._hear(*place)
        if not self._singles[chinese] or random.random() < 0.4:
            return self._written.asked(chinese)
        store, entry = random.choice(self._singles[chinese])
        return restored(entry), self._hear(store, entry["clip"])

    def _dictated(self) -> Sequence:
        """A question, or talk, whose words are to be written down."""
        if self._random.random() < 0.7:
            store, entry = self._random.choices(self._dialogues, cum_weights=self._weights)[0]
            place = (store, entry["exchanges"][-1]["clip"])
        else:
            place = self._random.choice(self._talk)
        sequence = self._begun()
        text = self._ear.stores[place[0]].clips[place[1]].text
        self._writer.dictate(sequence, self._ear.hear(*place), text)
        return sequence

    def _question(self) -> tuple[str, Sound] | None:
        """A question about a picture."""
        if not self._questions:
            return None
        store, number = self._random.choice(self._questions)
        return self._ear.stores[store].clips[number].text, self._ear.hear(store, number)

    def _broken(self) -> Sequence:
        """A question that breaks off in the middle."""
        if self._orders and self._random.random() < 0.25:
            place = self._random.choice(self._orders)
        else:
            store, entry = self._random.choices(self._dialogues, cum_weights=self._weights)[0]
            place = (store, entry["exchanges"][0]["clip"])
        sequence = self._begun()
        self._preceding.write(sequence, QUESTION)
        words = words_of(self._ear.stores[place[0]].clips[place[1]].text)
        self._writer.leave(sequence, self._hear(*place, whole=len(words) < 3))
        return sequence

    def _conversation(self) -> Sequence:
        store, entry = self._random.choices(self._dialogues, cum_weights=self._weights)[0]
        sequence = self._begun(tuple(entry["tools"]))
        if len(entry["exchanges"]) == 1:
            _precede(self._preceding, sequence, restored(entry["exchanges"][0]))
        for each in entry["exchanges"]:
            exchange = restored(each)
            typed = self._random.random() < 0.1
            sound = None if typed else self._hear(store, each["clip"])
            self._writer.exchange(sequence, exchange, sound)
        return sequence

    def _person(self) -> Sequence:
        """A person's order, or talk that is no query."""
        kind = self._random.random()
        if kind < 0.4 and self._speech:
            return self._refusing(self._hear(*self._random.choice(self._speech)))
        store, number = self._random.choice(self._orders)
        sequence = self._begun()
        self._preceding.write(sequence, QUESTION)
        exchange = person_exchange(self._ear.stores[store].clips[number])
        self._writer.exchange(sequence, exchange, self._ear.hear(store, number))
        return sequence

    def _refused(self) -> Sequence:
        kind = self._random.random()
        if kind < 0.25 and self._backchannels:
            place = self._random.choice(self._backchannels)
            return self._refusing(self._hear(*place), OVER_ANSWER)
        if kind < 0.7:
            return self._refusing(self._hear(*self._random.choice(self._talk)))
        return self._refusing(self._ear.hear(*self._random.choice(self._sounds)))

    def _refusing(self, sound: Sound, shares: PrecedingShares = TALK) -> Sequence:
        sequence = self._begun()
        self._preceding.write(sequence, shares)
        self._writer.refuse(sequence, sound)
        return sequence


def _precede(preceding: Preceding, sequence: Sequence, question: Exchange) -> None:
    """Stop words mostly break into an answer, other questions now and then."""
    shares = OVER_ANSWER if question.skill == "stopping" else QUESTION
    preceding.write(sequence, shares, is_chinese(question.question))


def person_exchange(clip: Clip) -> Exchange:
    """What a recorded order or digit should be answered."""
    if clip.kind == "order":
        return Exchange(clip.text, read_back(parse_label(clip.text)), "coffee")
    return Exchange(clip.text, f"You said {clip.text}.", "digits", clip.text)
