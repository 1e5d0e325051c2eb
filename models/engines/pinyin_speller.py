"""models.engines: Chinese by the recogniser's encoder, spelled in pinyin.

The recogniser knows English words only, but its encoder was raised on many people: from its frames
a network of ours spells the toneless pinyin of Chinese, and the adapter of the language model reads
these letters as it reads those of its own encoder. So the words are the language model's business,
as with its own ears, and only the letters come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.engines.letter_transcript import UNSPELLED, Array
from models.vita.pinyin_letters import looks_like_pinyin

# Of what is Chinese its letters are so sure, on average, and those of a single syllable are surer
# (both chosen on noises and digits of people, of which it spells "du" and "fo").
LEAST_CERTAINTY, LEAST_ALONE = 0.75, 0.85
_SURE = 10.0  # the score of a blank that is sure, and less of any letter
FRAME, LETTER_FRAME = 384, 640  # samples of a frame of the recogniser, and of a frame of letters


@dataclass(frozen=True, slots=True, eq=False)
class SpelledChinese:
    """What was spelled: `letters` as text, the mean probability of each, and their `scores`
    [frames, letters]."""

    letters: str
    certainty: float
    scores: Array


class PinyinSpeller:
    """Two networks: encoder frames -> letters, and letters -> vectors."""

    def __init__(
        self, spelling: onnxruntime.InferenceSession, adapter: onnxruntime.InferenceSession
    ) -> None:
        self._spelling, self._adapter = spelling, adapter

    def spell(self, encoded: Sequence[Array]) -> SpelledChinese | None:
        """From the frames of each part of a segment; None where they spell no Chinese."""
        parts = [self._letters(frames) for frames in encoded if len(frames) > 1]
        if not parts:
            return None
        scores = np.concatenate(parts)
        transcript = UNSPELLED.grown(scores)
        least = LEAST_CERTAINTY if " " in transcript.words else LEAST_ALONE
        if transcript.certainty < least or not looks_like_pinyin(transcript.words, fewest=1):
            return None
        return SpelledChinese(transcript.words, transcript.certainty, scores)

    def vectors(self, spelling: SpelledChinese, quiet: int) -> Array:
        """What was spelled and `quiet` samples of silence behind it, [n, width]: the language model
        hears that somebody has finished by the silence."""
        blanks = np.full((quiet // LETTER_FRAME, spelling.scores.shape[1]), -_SURE, np.float32)
        blanks[:, 0] = _SURE
        letters = np.concatenate((spelling.scores, blanks))
        vectors: Array = self._adapter.run(None, {"letters": letters[None]})[0][0]
        return vectors

    def _letters(self, frames: Array) -> Array:
        """Frames [n, width] -> scores [m, letters], 25 a second."""
        letters: Array = self._spelling.run(None, {"frames": paced(frames)[None]})[0][0]
        return letters


def paced(frames: Array) -> Array:
    """Frames [n, width] of the recogniser, n at least 2, at the pace of letters: 25 a second."""
    before, share = _places(len(frames))
    between: Array = frames[before] * (1 - share) + frames[before + 1] * share
    return between


@lru_cache(maxsize=256)
def _places(count: int) -> tuple[npt.NDArray[np.int64], Array]:
    """For each letter frame the frame of the recogniser before its middle, and the share of the
    next one."""
    middles = (np.arange(count * FRAME // LETTER_FRAME) + 0.5) * LETTER_FRAME / FRAME - 0.5
    before = np.clip(middles.astype(np.int64), 0, count - 2)
    return before, (middles - before).astype(np.float32)[:, None]
