"""What would kill an engine never reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

import numpy as np

from models.base import BadInput, OutOfRoom
from models.engines.prompt import FEATURE_TOKENS, Feature, Prompt
from models.vita.config import LanguageModelConfig
from models.vita.tensor_files import CheckpointRefused

# Widths of a head for which vLLM's attention on a CPU is compiled (0.32.0). With any other its
# process dies while it starts, without a word of what is wrong.
CPU_HEADS: Final = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)


class InputRefused(BadInput):
    """An input that no engine may see; the stream that brought it is as well as before."""


def check_model(language: LanguageModelConfig, *, is_cpu: bool) -> None:
    """May an engine be started with it? Raises CheckpointRefused."""
    head = language.width // language.heads
    if is_cpu and head not in CPU_HEADS:
        raise CheckpointRefused(
            f"the language model's heads are {head} wide (width {language.width} / heads "
            f"{language.heads}; in a released config hidden_size / num_attention_heads); vLLM on a "
            f"CPU takes {', '.join(map(str, CPU_HEADS))}: use the engine pytorch"
        )


@dataclass(frozen=True, slots=True)
class InputValidator:
    """The measures of one model: `capacity` tokens of a stream, `vocabulary` ids, vectors `width`
    wide."""

    capacity: int
    vocabulary: int
    width: int
    _seen: WeakSet[Feature] = field(default_factory=WeakSet)  # that were found good

    def check(self, line: Prompt, tokens: int = 0) -> None:
        """May `line` and `tokens` more go in? Raises OutOfRoom, Refused."""
        if line.length + tokens > self.capacity:
            raise OutOfRoom(f"{line.length + tokens} tokens of {self.capacity}")
        if not line.length:
            raise InputRefused("nothing to read")
        for piece in line.pieces:
            if isinstance(piece, Feature):
                if piece not in self._seen:
                    self.check_feature(piece)
                    self._seen.add(piece)
            elif min(piece) < 0 or max(piece) >= self.vocabulary:
                raise InputRefused(f"token ids from 0 to {self.vocabulary - 1} are known")

    def check_feature(self, feature: Feature) -> None:
        """Raises Refused."""
        vectors = feature.vectors
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise InputRefused(f"vectors of shape {vectors.shape}, not [n, {self.width}]")
        if not 0 < len(vectors) <= FEATURE_TOKENS:
            raise InputRefused(f"a feature of {len(vectors)} vectors, not 1 to {FEATURE_TOKENS}")
        if vectors.dtype != np.float32:
            raise InputRefused(f"vectors are {vectors.dtype}, not float32")
        if not np.isfinite(vectors).all():
            raise InputRefused("vectors that are no numbers")
