"""Word teaching: half-way up the language model, sound must already have become words.

At the vector where a word is over, the hidden state after some layers has to name the word's token.
That is a local task with many answers in every question, so it is learned soon, and the layers
above then find in sound what they find in typed text. Only training needs it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.sequences import NOTHING
from models.vita.blocks import RmsNorm
from models.vita.language_model import LanguageModel

LAYER = 2  # its output is looked at


class WordTeacher(nn.Module):
    """Looks at one layer of a language model while that runs."""

    def __init__(self, language: LanguageModel, layer: int = LAYER) -> None:
        super().__init__()
        self.norm = RmsNorm(language.config.width, language.config.norm_epsilon)
        self._seen: list[Tensor] = []
        language.model.layers[layer].register_forward_hook(self._see)

    def _see(self, module: nn.Module, given: Any, made: tuple[Tensor, Any]) -> None:
        self._seen = [made[0]]

    def loss(self, language: LanguageModel, words: Tensor) -> Tensor | None:
        """Cross-entropy at the places of `words` [b, n] that name a token; None if none does."""
        chosen = words != NOTHING
        if not bool(torch.any(chosen)):
            return None
        logits = language.logits(self.norm(self._seen.pop()[chosen])).float()
        return functional.cross_entropy(logits, words[chosen])
