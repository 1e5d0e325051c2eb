"""The listening network of embedded instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.vita.config import VitaConfig

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncoderMemory:
    """Caches of encoder and adapter; the arrays are never written to."""

    keys: Array  # [layers, 1, heads, left, head]
    values: Array
    position: npt.NDArray[np.int64]  # [1]
    tail: Array  # [1, kernel - 1, width]


class OnnxAudioFrontend:
    """models.engines.networks.Ears over onnxruntime."""

    def __init__(self, session: onnxruntime.InferenceSession, config: VitaConfig) -> None:
        self._session, self._config = session, config

    def start(self) -> EncoderMemory:
        audio = self._config.audio
        shape = (audio.layers, 1, audio.heads, audio.left, audio.width // audio.heads)
        past = np.zeros(shape, np.float32)
        tail = np.zeros((1, self._config.adapter.kernel - 1, audio.width), np.float32)
        return EncoderMemory(past, past, np.zeros(1, np.int64), tail)

    def step(
        self, features: Array, valid: int, memory: EncoderMemory
    ) -> tuple[Array, Array, EncoderMemory]:
        feed = {
            "features": features[None],
            "valid": np.array([valid], np.int64),
            "keys": memory.keys,
            "values": memory.values,
            "position": memory.position,
            "tail": memory.tail,
        }
        vectors, letters, *kept = self._session.run(None, feed)
        return vectors[0], letters[0], EncoderMemory(*kept)
