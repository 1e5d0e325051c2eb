"""Another sampling rate: streaming without seams, or a whole recording at once (soxr).

soxr is the better filter, but as a stream it works in blocks: measured with 20 ms chunks it holds
back up to 37 ms from 24 to 16 kHz and 114 ms from 8 kHz (quality HQ; 20 and 61 ms at LQ). That is
most of an endpointing delay, so the live path has a short windowed-sinc filter of its own.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
import numpy.typing as npt
import soxr

from audio.frame import Samples

_CROSSINGS = 32  # zero crossings of the sinc on each side: sets delay and steepness
_KAISER_BETA = 8.0  # about 80 dB of stop band
# Samples taken in one go: each output needs a row of twice the filter's half in memory.
_PIECE = 8_192
_ROLL_OFF = 0.93  # middle of the transition, as a share of the lower Nyquist frequency


def resample(samples: Samples, source: int, target: int) -> Samples:
    """A whole recording [n] at another rate, at soxr's high quality."""
    if source == target:
        return samples
    converted: Samples = soxr.resample(samples.astype(np.float32), source, target, quality="HQ")
    return converted


@lru_cache(maxsize=32)
def _filters(up: int, down: int) -> Samples:
    """One filter for each of the `up` output phases, [up, 2 * half], each with a sum of one."""
    bandwidth = _ROLL_OFF * min(1.0, up / down)
    half = ceil(_CROSSINGS * max(1.0, down / up))
    phase = np.arange(up)[:, None] / up  # output instants between two input samples
    time = np.arange(1 - half, half + 1)[None, :] - phase  # in input samples
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (time / half) ** 2)))
    taps = np.sinc(bandwidth * time) * window
    filters: Samples = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return filters


class Resampler:
    """Streaming conversion between two rates; chunked output equals that of one call.

    The filter looks `delay` seconds ahead (32 samples of the lower rate: 2 ms where that is
    16 kHz, 4 ms where it is 8 kHz); output is aligned with the input, sample 0 with sample 0.
    The band is flat to 0.85 of the lower Nyquist frequency.
    """

    def __init__(self, source: int, target: int) -> None:
        if source < 1 or target < 1:
            raise ValueError(f"cannot resample {source} Hz to {target} Hz")
        divisor = gcd(source, target)
        self._up, self._down = target // divisor, source // divisor
        self._filters = _filters(self._up, self._down) if source != target else None
        self._half = 0 if self._filters is None else self._filters.shape[1] // 2
        self.delay = self._half / source
        self.reset()

    def reset(self) -> None:
        """Start a new stream."""
        # Silence before the first sample, so that the filter is centred on it.
        self._held: Samples = np.zeros(max(0, self._half - 1), dtype=np.float32)
        self._first = 1 - self._half  # input position of the first held sample
        self._taken = 0
        self._made = 0

    def push(self, samples: Samples) -> Samples:
        """Output [m] that samples [n] complete."""
        if self._filters is None or not len(samples):
            return samples
        pieces = [samples[at : at + _PIECE] for at in range(0, len(samples), _PIECE)]
        return np.concatenate([self._pushed(piece) for piece in pieces])

    def _pushed(self, samples: Samples) -> Samples:
        self._taken += len(samples)
        return self._convert(samples, self._outputs_before(self._taken - self._half))

    def flush(self) -> Samples:
        """The rest, as if silence followed; the stream is new afterwards."""
        if self._filters is None:
            return np.zeros(0, dtype=np.float32)
        silence = np.zeros(self._half, dtype=np.float32)
        rest = self._convert(silence, self._outputs_before(self._taken))
        self.reset()
        return rest

    def _outputs_before(self, position: int) -> int:
        """How many outputs lie before that input position."""
        return max(0, -(-position * self._up // self._down))

    def _convert(self, samples: Samples, until: int) -> Samples:
        assert self._filters is not None
        held = np.concatenate((self._held, samples))
        steps = np.arange(self._made, max(until, self._made), dtype=np.int64) * self._down
        rows = self._windows(held, steps // self._up)
        made: Samples = np.einsum("nk,nk->n", rows, self._filters[steps % self._up])
        self._made += len(steps)
        # The next output needs input from here on.
        needed = self._made * self._down // self._up + 1 - self._half
        self._held = held[needed - self._first :].copy()
        self._first = max(self._first, needed)
        return made

    def _windows(self, held: Samples, positions: npt.NDArray[np.int64]) -> Samples:
        """The inputs around each position, [outputs, 2 * half]."""
        if not len(positions):
            return np.zeros((0, 2 * self._half), dtype=np.float32)
        every = np.lib.stride_tricks.sliding_window_view(held, 2 * self._half)
        windows: Samples = every[positions + 1 - self._half - self._first]
        return windows
