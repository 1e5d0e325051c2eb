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
    """Greedy letters so far; `last` is the label of the last frame (a repeat is one letter)."""

    text: str = ""
    last: int = 0

    def grown(self, scores: Array) -> Transcript:
        """With the letter scores [frames, letters] of more frames."""
        text, last = self.text, self.last
        for label in scores.argmax(axis=1).tolist():
            if label not in (0, last):
                text += LETTERS[label]
            last = label
        return Transcript(text, last)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


UNSPELLED = Transcript()
