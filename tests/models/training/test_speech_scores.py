"""How the voice is judged: letters as the ears spell them, errors counted one by one."""

from typing import Any, cast

import numpy as np
import pytest
import torch

pytest.importorskip("pyworld")
pytest.importorskip("pocketsphinx")

from models.training.listener import ALPHABET, LETTERS, Listener
from models.training.scoring import word_errors
from models.training.speech_scores_mandarin import LetterEars


class Spelling(torch.nn.Module):
    """In the place of a Listener: spells the same whatever it hears; "_" is the blank."""

    def __init__(self, letters: str) -> None:
        super().__init__()
        self.ids = [0 if sign == "_" else ALPHABET.index(sign) + 1 for sign in letters]

    def frames(self, *_: Any) -> tuple[Any, torch.Tensor, torch.Tensor]:
        scores = torch.nn.functional.one_hot(torch.tensor([self.ids]), LETTERS).float()
        return None, scores, torch.tensor([len(self.ids) - 1])  # the last frame is padding


def ears(letters: str) -> LetterEars:
    return LetterEars(cast(Listener, Spelling(letters)))


SOUND = np.zeros(24_000, np.float32)


def test_letters_collapse_and_blanks_part_them() -> None:
    assert ears("_nnii_ _ hh_aao_oox").hear(SOUND) == "ni haoo"


@pytest.mark.parametrize(
    ("letters", "errors"), [("ni hao_", 0.0), ("ni ha_", 1 / 6), ("_x", 1.0), ("nni hhou_", 1 / 3)]
)
def test_letter_errors(letters: str, errors: float) -> None:
    assert ears(letters).errors(["你好。"], [SOUND]) == pytest.approx(errors)


@pytest.mark.parametrize(
    ("true", "heard", "errors"),
    [("a b c", "a b c", 0), ("a b c", "b c", 1), ("a b", "a x b y", 2), ("a b", "", 2)],
)
def test_word_errors(true: str, heard: str, errors: int) -> None:
    assert word_errors(true.split(), heard.split()) == errors
