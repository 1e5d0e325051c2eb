"""Letters as the encoder would spell them, made from text: the mind learns before the ears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.training.listener import ALPHABET, LETTERS, letter_ids
from models.training.pinyin import spelled

CONFUSED = {  # what sounds alike is written alike by a young encoder
    "a": "eiou", "e": "aiu", "i": "eay", "o": "aue", "u": "oae", "y": "ie", "b": "pdv", "p": "bt",
    "d": "tbg", "t": "dpk", "g": "kdj", "k": "gct", "c": "ks", "s": "zcf", "z": "s", "f": "vst",
    "v": "fb", "m": "n", "n": "m", "l": "rw", "r": "lw", "w": "lru", "h": " f", " ": "ae",
}  # fmt: skip


SPACE = ALPHABET.index(" ") + 1


@dataclass(frozen=True, slots=True)
class Simulated:
    """letters [frames, LETTERS], 25 frames a second; voice from `onset` to `end`, in frames."""

    letters: npt.NDArray[np.float32]
    onset: int
    end: int
    text: str = ""
    ends: tuple[int, ...] = ()  # where each word of the text is over, in frames
    whole: bool = True
    unclear: bool = False  # nobody could read it: its words have to be given


def simulate(random: np.random.Generator, text: str, error: float = 0.08) -> Simulated:
    """Peaks of letters between blanks, some of them wrong, missing or unsure. Chinese is spelled in
    pinyin without tones."""
    frames: list[int] = [0] * int(random.integers(3, 12))
    onset, before = len(frames), 0
    ends: list[int] = []
    for letter in letter_ids(spelled(text)):
        kind = random.random()
        if letter == SPACE:
            ends.append(len(frames))
        if kind < 0.4 * error:
            continue
        if kind < error:
            near = CONFUSED.get(ALPHABET[letter - 1], "e")
            letter = ALPHABET.index(near[int(random.integers(len(near)))]) + 1
        blanks = int(random.choice((0, 1, 2, 3), p=(0.42, 0.38, 0.15, 0.05)))
        frames += [0] * max(blanks, int(letter == before))
        frames.append(letter)
        before = letter
    end = len(frames) + 1
    frames += [0] * int(random.integers(3, 16))
    return Simulated(_unsure(random, frames), onset, end, text, (*ends, end))


def _unsure(random: np.random.Generator, frames: list[int]) -> npt.NDArray[np.float32]:
    """One-hot rows softened: a share goes to the blank or to a random letter."""
    count = len(frames)
    doubt = random.beta(1.0, 6.0, count).astype(np.float32)
    letters = np.zeros((count, LETTERS), dtype=np.float32)
    rows = np.arange(count)
    letters[rows, frames] = 1 - doubt
    other = np.where(random.random(count) < 0.5, 0, random.integers(0, LETTERS, count))
    np.add.at(letters, (rows, other), doubt)
    return letters
