"""Hearing as it comes, for nano: samples to vectors, letters, states.

Every state is a value: a step makes a new one and leaves the old one whole, so that a mark is a
reference and a flush can be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from audio.features import BINS, STEP, StreamingFilterBank
from models.base import Samples
from models.engines.letter_transcript import LETTERS, UNSPELLED, Transcript
from models.engines.networks import AudioFrontend
from models.vita.config import SUBSAMPLING, VitaConfig

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ListeningState:
    """One segment so far. `features` [n, 80] wait for a whole chunk. Of the `received` samples
    those of whole chunks, or after a flush all, were `judged`. `memory` is the encoder's."""

    bank: StreamingFilterBank
    features: Array
    memory: Any
    transcript: Transcript = UNSPELLED
    received: int = 0
    judged: int = 0


class NanoListener:
    """The listening network: features of one chunk to vectors for the language model."""

    def __init__(self, audio_frontend: AudioFrontend, config: VitaConfig) -> None:
        """Raises ValueError for an encoder that needs the whole segment."""
        audio = config.audio
        if audio.chunk is None:
            raise ValueError("this audio encoder cannot stream")
        self._audio_frontend, self._fresh = audio_frontend, audio_frontend.start()
        self._take, self._advance = audio.chunk_features, audio.chunk * SUBSAMPLING
        self._letters = audio.letters == len(LETTERS)

    def start(self) -> ListeningState:
        """A new segment: caches and positions anew."""
        return ListeningState(StreamingFilterBank(), np.zeros((0, BINS), np.float32), self._fresh)

    def take(self, hearing: ListeningState, samples: Samples) -> ListeningState:
        """Take samples [n] at 16 kHz; nothing is encoded yet."""
        bank = hearing.bank.copy()
        joined = np.concatenate((hearing.features, bank.push(samples)))
        received = hearing.received + samples.size
        return replace(hearing, bank=bank, features=joined, received=received)

    def ready(self, hearing: ListeningState) -> bool:
        """Is there a whole chunk to encode?"""
        return len(hearing.features) >= self._take

    def encode(self, hearing: ListeningState) -> tuple[ListeningState, Array]:
        """One whole chunk: what follows, and its vectors [2, width]."""
        later, vectors = self._run(hearing, self._take)
        left = hearing.features[self._advance :]
        judged = hearing.judged + self._advance * STEP
        return replace(later, features=left, judged=judged), vectors

    def flush(self, hearing: ListeningState) -> tuple[ListeningState, Array]:
        """The partial chunk, padded: vectors [0 to 2, width]. Nothing can be heard after it: to go
        on, take the hearing from before."""
        valid = min(len(hearing.features), self._take)
        if _encoder_frames(valid) == 0:
            return replace(hearing, judged=hearing.received), np.zeros((0, 0), np.float32)
        later, vectors = self._run(hearing, valid)
        return replace(later, features=later.features[:0], judged=later.received), vectors

    def _run(self, hearing: ListeningState, valid: int) -> tuple[ListeningState, Array]:
        features = np.zeros((self._take, BINS), np.float32)
        features[:valid] = hearing.features[:valid]
        vectors, letters, memory = self._audio_frontend.step(features, valid, hearing.memory)
        frames = _encoder_frames(valid)
        transcript = hearing.transcript
        if self._letters:
            transcript = transcript.grown(letters[:frames])
        after = replace(hearing, memory=memory, transcript=transcript)
        return after, vectors[: -(-frames // 2)]


def _encoder_frames(features: int) -> int:
    return max(0, ((features - 1) // 2 - 1) // 2)
