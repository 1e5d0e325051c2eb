"""The speech decoder of embedded instances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.engines.language import DecoderCache
from models.vita.config import SpeechDecoderConfig

Array = npt.NDArray[np.float32]


class OnnxSpeechCache:
    """models.engines.networks.SpeechCache over onnxruntime: room for the longest spoken chunk."""

    def __init__(
        self,
        prefill: onnxruntime.InferenceSession,
        step: onnxruntime.InferenceSession,
        config: SpeechDecoderConfig,
        letters: int,
        codes: int,
    ) -> None:
        self._prefill, self._letters = prefill, letters
        capacity = 1 + letters + codes
        shape = (1, config.heads, capacity, config.width // config.heads)
        outputs = {"logits": (1, config.codes + 4), "weights": (1, capacity)}
        self._cache = DecoderCache(step, shape, 2 * config.layers, outputs)
        self._place = 0

    @property
    def full(self) -> bool:
        return self._place >= self._cache.capacity

    def begin(self, letters: Sequence[int]) -> None:
        ids = np.array([letters], np.int64)[:, : self._letters]
        kept = self._prefill.run(None, {"letters": ids})
        for buffer, part in zip(self._cache.buffers, kept, strict=True):
            buffer[:, :, : part.shape[2]] = part
        self._place = 1 + ids.shape[1]

    def expect(self, code: int, urgent: bool) -> None:
        """Nothing is gained by knowing: an exported step reads one code of one voice."""

    def advance(self, code: int) -> tuple[Array, Array]:
        self._cache.run("codes", np.array([[code]], np.int64), self._place)
        self._place += 1
        outputs = self._cache.outputs
        return outputs["logits"][0], outputs["weights"][0]
