"""What stands before the sound to be judged: nothing, an exchange, or an answer it breaks into.

Over an answer the monitor has read the question and the words heard so far, marked as cut. Most of
what people say over answers is therefore practised behind exactly that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from models.training.pinyin import is_chinese
from models.training.sequences import Sequence, Sound, Writer
from models.training.skills.exchange import Exchange
from models.training.skills.registry import exchange
from models.training.skills.skill import Language


@dataclass(frozen=True, slots=True)
class PrecedingShares:
    """How often an exchange stands before; otherwise the conversation begins with the sound."""

    whole: float = 0.0
    cut: float = 0.0


OVER_ANSWER = PrecedingShares(whole=0.1, cut=0.65)  # backchannels and stop words
TALK = PrecedingShares(whole=0.15, cut=0.35)  # what is not meant for the assistant, and sounds
QUESTION = PrecedingShares(cut=0.3)
_LONG = 0.6  # share of cut answers that are stories or explanations


def broken_into(random: Random, exchange: Exchange) -> Exchange:
    """The exchange, of whose answer only the first words (or characters) were heard."""
    parts = list(exchange.answer) if is_chinese(exchange.answer) else exchange.answer.split()
    heard = parts[: random.randint(1, max(1, len(parts) - 1))]
    text = ("" if is_chinese(exchange.answer) else " ").join(heard)
    return replace(exchange, answer=text, cut=True, slow=False)


class Preceding:
    """Writes what stands before. `say` gives a text as sound, None where it is to be typed."""

    def __init__(
        self, writer: Writer, random: Random, say: Callable[[str], Sound | None], chinese: float
    ) -> None:
        self._writer, self._random, self._say, self._chinese = writer, random, say, chinese

    def write(
        self, sequence: Sequence, shares: PrecedingShares, chinese: bool | None = None
    ) -> None:
        """Perhaps one exchange; `chinese` None: in either language."""
        kind = self._random.random()
        if kind >= shares.whole + shares.cut:
            return
        if chinese is None:
            chinese = self._random.random() < self._chinese
        cut = kind < shares.cut
        made = self._exchange(chinese, cut and self._random.random() < _LONG)
        if cut and made.answer:
            made = broken_into(self._random, made)
        self._writer.exchange(sequence, made, self._say(made.question))

    def _exchange(self, chinese: bool, long: bool) -> Exchange:
        language = Language.CHINESE if chinese else Language.ENGLISH
        return exchange(self._random, names=("narration",) if long else (), language=language)
