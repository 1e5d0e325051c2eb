"""Conversations as training sequences: token ids, places for sound, and what is to be predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from models.base import FunctionCall
from models.training.hearing import ListeningResult
from models.training.listener import EYES
from models.training.pinyin import is_chinese, piece_texts
from models.training.simulation import Simulated
from models.training.skills.exchange import Exchange
from models.training.skills.scene import PictureScene
from models.training.writing_out import written_out
from models.vita.nano_prompt import END, NOISE, QUERY, TEXT, UNFINISHED, NanoPrompt

Sound: TypeAlias = ListeningResult | Simulated
NOTHING = -100  # no prediction is asked for here
DECISION = 12.0  # vectors' verdicts that the one behind the words counts as: it is acted on
SETTLED = 10  # feature frames after the last voice from which on a query must be seen as finished


def vector_count(sound: Sound) -> int:
    """Language-model vectors of a sound."""
    if isinstance(sound, Simulated):
        return (len(sound.letters) + 1) // 2
    frames = ((len(sound.features) - 1) // 2 - 1) // 2
    return (frames + 1) // 2


def state_targets(sound: Sound, meant: bool, ids: dict[str, int]) -> list[int]:
    """The verdict wanted after each vector of a sound.

    Before the voice: noise. During a query: unfinished. From 100 ms after it: query, if it is
    whole. What is not meant for the assistant is noise throughout.
    """
    count = vector_count(sound)
    if not meant:
        return [ids[NOISE]] * count
    scale = 4 if isinstance(sound, Simulated) else 1  # simulated sounds count encoder frames
    onset, end = sound.onset * scale, sound.end * scale
    targets = []
    for vector in range(count):
        now = 8 * vector + 6  # feature frames that this vector has heard
        if now < onset:
            targets.append(ids[NOISE])
        elif now < end + 2 or not sound.whole:
            targets.append(ids[UNFINISHED] if now > onset + 8 else NOTHING)
        else:
            targets.append(ids[QUERY] if now >= end + SETTLED else NOTHING)
    return targets


def word_targets(sound: Sound, prompt: NanoPrompt) -> list[int]:
    """The text token that each vector of a sound completes; most complete none.

    A word's last token stands at the first vector that has heard the word's end and a little more.
    """
    scale, text = (4, sound.text) if isinstance(sound, Simulated) else (1, sound.clip.text)
    targets = [NOTHING] * vector_count(sound)
    for piece, end in zip(piece_texts(text), sound.ends, strict=False):
        tokens = prompt.encode(piece)
        last = -(-(end * scale + 4) // 8)
        for step, token in enumerate(reversed(tokens)):
            if 0 <= last - step < len(targets):
                targets[last - step] = token
    return targets


def answer_weights(targets: list[int]) -> list[float]:
    """How much each prediction counts: an answer of n tokens as root n ones of a single token, or
    stories would drown the few tokens that make a sum right."""
    weights = [0.0] * len(targets)
    start = 0
    for place, target in enumerate([*targets, NOTHING]):
        if target != NOTHING:
            continue
        for each in range(start, place):
            weights[each] = (place - start) ** -0.5
        start = place + 1
    return weights


@dataclass(slots=True)
class Sequence:
    """One conversation. `targets[i]` is what the model should predict after place i; `states[i]`
    says the same of verdicts, which are counted apart, each by its weight in `stakes`; `words` are
    the text tokens that a vector of sound completes. Sounds stand at `places`, pictures at
    `shown`."""

    ids: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    stakes: list[float] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    pictures: list[PictureScene] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, ids: list[int]) -> None:
        """Given, not predicted."""
        self.ids += ids
        self.targets += [NOTHING] * len(ids)
        self.states += [NOTHING] * len(ids)
        self.stakes += [1.0] * len(ids)
        self.words += [NOTHING] * len(ids)

    def predict(self, ids: list[int]) -> None:
        """To be predicted from what stands before."""
        for token in ids:
            self.targets[-1] = token
            self.read([token])

    def hear(self, sound: Sound, states: list[int], words: list[int]) -> None:
        self.sounds.append(sound)
        self.places.append(len(self.ids))
        self.ids += [0] * len(states)
        self.targets += [NOTHING] * len(states)
        self.states += states
        self.stakes += [1.0] * len(states)
        self.words += words

    def see(self, picture: PictureScene, vectors: int) -> None:
        self.pictures.append(picture)
        self.shown.append(len(self.ids))
        self.read([0] * vectors)


class Writer:
    """Writes exchanges into sequences as nano's prompt has them."""

    def __init__(
        self, prompt: NanoPrompt, seed: int, words: Callable[[Sound], str] | None = None
    ) -> None:
        """`words`: what a recogniser makes of a sound, which is then written behind it."""
        self.prompt, self._random, self._words = prompt, Random(seed), words

    def opening(self, tools: tuple[str, ...]) -> Sequence:
        sequence = Sequence()
        random = self._random
        instructions = random.choice(_INSTRUCTIONS) if random.random() < 0.25 else ""
        sequence.read(self.prompt.opening_of(instructions, tools))
        return sequence

    def exchange(self, sequence: Sequence, exchange: Exchange, sound: Sound | None) -> None:
        """One turn of the user and its answer; typed where there is no sound."""
        ids, prompt = self.prompt.ids, self.prompt
        sequence.read(prompt.user())
        self.show(sequence, exchange.scenes)
        if sound is not None:
            self._hear(sequence, sound, meant=True)
            if not sound.unclear:
                sequence.states[-1] = ids[QUERY]
            self._recognise(sequence, sound, QUERY)
            sequence.read([ids[QUERY]])
        else:
            sequence.read(prompt.typed(self._typed(exchange.question)))
            sequence.states[-1] = ids[TEXT]
            sequence.read([ids[TEXT]])
        if exchange.cut:
            sequence.read(prompt.answer(exchange.answer, cut=True))
        elif exchange.call is None:
            sequence.predict(prompt.answer(exchange.answer, slow=exchange.slow))
        else:
            self._call(
                sequence, exchange, FunctionCall(exchange.call.name, exchange.call.arguments)
            )

    def show(self, sequence: Sequence, scenes: tuple[PictureScene, ...]) -> None:
        """Pictures inside an open turn."""
        for scene in scenes:
            sequence.read(self.prompt.image())
            sequence.see(scene, EYES.tokens)

    def _call(self, sequence: Sequence, exchange: Exchange, call: FunctionCall) -> None:
        sequence.predict(self.prompt.call(call))
        sequence.read(self.prompt.result(exchange.result))
        sequence.predict(self.prompt.state(False))
        sequence.predict(self.prompt.answer(exchange.report))

    def refuse(
        self, sequence: Sequence, sound: Sound, scenes: tuple[PictureScene, ...] = ()
    ) -> None:
        """Sound that is not meant for the assistant."""
        sequence.read(self.prompt.user())
        self.show(sequence, scenes)
        self._hear(sequence, sound, meant=False)
        self._recognise(sequence, sound, NOISE)

    def leave(self, sequence: Sequence, sound: Sound) -> None:
        """A query that breaks off: nothing but the verdict is wanted."""
        sequence.read(self.prompt.user())
        self._hear(sequence, sound, meant=True)
        self._recognise(sequence, sound, QUERY if sound.whole else UNFINISHED)

    def dictate(self, sequence: Sequence, sound: Sound, text: str) -> None:
        """Sound whose words are to be written down."""
        ids = self.prompt.ids
        sequence.read(self.prompt.user())
        sequence.hear(sound, [NOTHING] * vector_count(sound), word_targets(sound, self.prompt))
        sequence.read(self.prompt.dictation())
        sequence.predict([*self.prompt.encode(written_out(text)), ids[END]])

    def _hear(self, sequence: Sequence, sound: Sound, *, meant: bool) -> None:
        """A sound, and the verdicts wanted along it. One that cannot be understood never says that
        it is a query; that it is none is the better guess."""
        states = state_targets(sound, meant, self.prompt.ids)
        if sound.unclear and meant:
            states = [NOTHING] * len(states)
        sequence.hear(sound, states, word_targets(sound, self.prompt))

    def _recognise(self, sequence: Sequence, sound: Sound, state: str) -> None:
        """A recogniser's words, if there are any, and the verdict wanted behind them."""
        ids = self.prompt.recognised(self._words(sound)) if self._words else []
        if ids:
            sequence.read(ids)
            sequence.states[-1] = self.prompt.ids[state]
            sequence.stakes[-1] = DECISION

    def _typed(self, text: str) -> str:
        random = self._random
        if is_chinese(text):
            return text + random.choice(("", "？", "。", "？"))
        kind = random.random()
        if kind < 0.4:
            text = text.lower()
        elif kind < 0.7:
            text = text[:1].upper() + text[1:]
        return text + random.choice(("", "?", ".", "?"))


_INSTRUCTIONS = (
    "You are a helpful assistant.", "You are a friendly voice assistant. Answer briefly.",
    "Be kind and short.", "You are Nano.", "Answer the user's questions.",
    "You are the voice of a coffee bar. Take orders and read them back.",
    "Speak English. Keep answers short and clear.", "You help people at home.",
    "你是一个语音助手。", "请用中文回答。",
)  # fmt: skip
