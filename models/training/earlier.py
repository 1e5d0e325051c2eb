"""The turns of a conversation that has gone on for a while, before the one that is practised.

A stream remembers about a thousand places of a conversation: sounds with a recogniser's words
behind them, states, and answers, whole or cut. A verdict has to mean the same behind all of these
as at the beginning of a conversation. The earlier turns are practised as well.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from models.training.preceding import broken_into
from models.training.sequences import Sequence, Sound, Writer
from models.training.skills.exchange import Exchange

Asked: TypeAlias = tuple[Exchange, Sound | None]
SHARE = 0.3  # of conversations that have earlier turns
MOST_TURNS = 20
ROOM = 700  # places after which no earlier turn is added
_OTHER_LANGUAGE = 0.1  # share of turns that are not in the language of the conversation
_CUT = 0.15  # share of answers of which only the beginning was heard


class EarlierTurns:
    """Writes them. `ask` gives an exchange and its sound, in Chinese or in English."""

    def __init__(
        self, writer: Writer, random: Random, ask: Callable[[bool], Asked], chinese: float
    ) -> None:
        self._writer, self._random, self._ask, self._chinese = writer, random, ask, chinese

    def write(self, sequence: Sequence) -> None:
        """One to MOST_TURNS turns, few more often than many, or none."""
        random = self._random
        if random.random() >= SHARE:
            return
        is_chinese = random.random() < self._chinese
        for _ in range(round(MOST_TURNS ** random.random())):
            if len(sequence) > ROOM:
                return
            is_other = random.random() < _OTHER_LANGUAGE
            exchange, sound = self._ask(is_chinese != is_other)
            if exchange.answer and random.random() < _CUT:
                exchange = broken_into(random, exchange)
            self._writer.exchange(sequence, exchange, sound)
