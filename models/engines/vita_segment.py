"""The features of one segment, for an audio encoder that takes it as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audio.features import BINS, StreamingFilterBank
from models.base import Samples
from models.vita.segmenter import quiet_place

Features = npt.NDArray[np.float32]  # [n, 80]
VERDICT_EVERY = 5_120  # samples at 16 kHz between two encodings of a growing segment
LONGEST = 2_000  # feature frames (20 s) that are encoded as one: a longer segment is cut
QUIET = 10  # feature frames over which loudness is averaged where it is cut


@dataclass(frozen=True, slots=True)
class WholeSegment:
    """Sound of one segment, or the rest of one that was cut: of `received` samples the first
    `judged` have a verdict."""

    bank: StreamingFilterBank
    features: Features
    received: int = 0
    judged: int = 0

    @staticmethod
    def begun() -> WholeSegment:
        return WholeSegment(StreamingFilterBank(), np.zeros((0, BINS), np.float32))

    def grown(self, samples: Samples) -> WholeSegment:
        """With more samples [n] at 16 kHz."""
        bank = self.bank.copy()
        features = np.concatenate((self.features, bank.push(samples)))
        return replace(self, bank=bank, features=features, received=self.received + len(samples))

    def parted(self) -> tuple[Features, Features] | None:
        """The features of a segment that is too long, before and behind its quietest place (of the
        second half); None for one that is not."""
        if len(self.features) <= LONGEST:
            return None
        level = np.exp(self.features / 2).mean(1)
        place = quiet_place(level, np.inf, QUIET)
        assert place is not None
        return self.features[:place], self.features[place:]
