"""models.engines: the letters that a letter head spells, as text (CTC, greedy)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
LETTERS = "\0 abcdefghijklmnopqrstuvwxyz'"  # 0 is the blank


@dataclass(frozen=True, slots=True)
class Transcript:
    """Greedy letters so far; `last` is the label of the last frame (a repeat is one letter). In
    `frames` of them a letter was likeliest, with probabilities that sum to `shares`."""

    text: str = ""
    last: int = 0
    frames: int = 0
    shares: float = 0.0

    def grown(self, scores: Array) -> Transcript:
        """With the letter scores (logits) [frames, letters] of more frames."""
        text, last = self.text, self.last
        labels = scores.argmax(axis=1)
        for label in labels.tolist():
            if label not in (0, last):
                text += LETTERS[label]
            last = label
        spelled = scores[labels != 0]
        best = spelled.max(axis=1, keepdims=True, initial=-np.inf)
        shares = float((1 / np.exp(spelled - best).sum(axis=1)).sum())
        return Transcript(text, last, self.frames + len(spelled), self.shares + shares)

    @property
    def certainty(self) -> float:
        """The mean probability of the letters, 0.0 where there are none."""
        return self.shares / self.frames if self.frames else 0.0

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


UNSPELLED = Transcript()
