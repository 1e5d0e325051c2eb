"""The soft head of an answer, which nobody hears, is not sent."""

from __future__ import annotations

import numpy as np

from models.base import SPEAK_RATE, Samples, SpokenWord

AUDIBLE = 10 ** (-50 / 20)  # amplitude below which a listener hears nothing
KEPT = SPEAK_RATE // 100  # samples before the first audible one: no click
MOST = 3 * SPEAK_RATE // 10  # samples; a longer silence is meant


class LeadingSilenceTrimmer:
    """Drops what comes before an answer's first audible sample; its words move with it."""

    def __init__(self) -> None:
        self.dropped = 0  # samples
        self.is_over = False

    def cut(self, samples: Samples) -> Samples:
        """What is to be heard of the next samples [n] at 24 kHz."""
        if self.is_over:
            return samples
        loud = np.flatnonzero(np.abs(samples) >= AUDIBLE)
        quiet = max(0, int(loud[0]) - KEPT) if loud.size else samples.size
        count = min(quiet, MOST - self.dropped)
        self.dropped += count
        self.is_over = bool(loud.size) or self.dropped >= MOST
        return samples[count:]

    def moved(self, word: SpokenWord) -> SpokenWord:
        """The word where it stands in what is heard."""
        start, end = (max(0, at - self.dropped) for at in (word.start, word.end))
        return SpokenWord(word.text, start, end, word.estimated)
