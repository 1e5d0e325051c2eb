"""Conversations about pictures, and such as pictures must not disturb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from models.training.sequences import Sequence, Sound, Writer
from models.training.skills import images
from models.training.skills.exchange import Exchange
from models.training.skills.negatives import not_meant
from models.training.skills.registry import CHINESE
from models.training.skills.registry import exchange as single_exchange
from models.training.skills.scene import PictureScene

_FRAMES = (1, 1, 1, 1, 1, 2, 3, 5)  # pictures shown before a question: of a camera, several

_NOISE_DRAWS = 100  # of which, with any share of speech worth the name, one is spoken


class PicturedMaterial:
    """Endless conversations with pictures. `say` gives a text as sound, None where it is to be
    typed; `asked` is one of the spoken questions with its sound, where there are recordings."""

    def __init__(
        self,
        writer: Writer,
        random: Random,
        say: Callable[[str], Sound | None],
        asked: Callable[[], tuple[str, Sound] | None],
        chinese: float = CHINESE,
    ) -> None:
        self._writer, self._random, self._say, self._asked = writer, random, say, asked
        self._chinese = chinese

    def __call__(self) -> Sequence:
        sequence, kind = self._writer.opening(()), self._random.random()
        if kind < 0.06 and (noise := self._noise()) is not None:
            self._writer.refuse(sequence, noise, self._frames(images.scene(self._random)))
        elif kind < 0.14:
            self._blind(sequence)
        elif kind < 0.24:
            self._elsewhere(sequence)
        else:
            self._looking(sequence)
        return sequence

    def _noise(self) -> Sound | None:
        """Talk that is not meant for the assistant; None where nothing is ever spoken."""
        for _ in range(_NOISE_DRAWS):
            if (sound := self._say(not_meant(self._random))) is not None:
                return sound
        return None

    def _blind(self, sequence: Sequence) -> None:
        exchange = images.unseen(self._random)
        self._writer.exchange(sequence, exchange, self._say(exchange.question))

    def _elsewhere(self, sequence: Sequence) -> None:
        """A question that has nothing to do with the picture before it."""
        exchange = single_exchange(self._random)
        frames = self._frames(images.scene(self._random))
        shown = replace(exchange, scenes=frames)
        self._writer.exchange(sequence, shown, self._say(exchange.question))

    def _looking(self, sequence: Sequence) -> None:
        """One or two questions about the same picture, which is shown once."""
        first, sound = self._question()
        shown = replace(first, scenes=self._frames(first.scenes[-1]))
        self._writer.exchange(sequence, shown, sound)
        if self._random.random() < 0.35:
            chinese = self._random.random() < self._chinese
            more = images.about(first.scenes[-1], self._random, chinese=chinese)
            self._writer.exchange(sequence, replace(more, scenes=()), self._say(more.question))

    def _question(self) -> tuple[Exchange, Sound | None]:
        asked = self._asked() if self._random.random() < 0.5 else None
        if asked is not None:
            return images.fitting(asked[0], self._random), asked[1]
        exchange = images.picture(self._random, chinese=self._random.random() < self._chinese)
        return exchange, self._say(exchange.question)

    def _frames(self, last: PictureScene) -> tuple[PictureScene, ...]:
        """Pictures of which only the last counts: the same thing moving, or other things."""
        random, count = self._random, self._random.choice(_FRAMES)
        moved = [replace(last, seed=random.choice(images.TRAIN_SEEDS)) for _ in range(count - 1)]
        other = [images.scene(random) for _ in range(count - 1)]
        return (*(moved if random.random() < 0.4 else other), last)
