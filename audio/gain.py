"""Ducking: the answer goes on at reduced gain while a verdict is awaited."""

from __future__ import annotations

import numpy as np

from audio.frame import SPEAK_RATE, Samples, to_samples


class Ducker:
    """A gain over outgoing sound that ramps sample by sample between full and reduced.

    One sample in is one sample out, always. At full gain the sound passes bit-equal.
    """

    def __init__(
        self, rate: int = SPEAK_RATE, decibels: float = -18.0, ramp_seconds: float = 0.01
    ) -> None:
        """`decibels`: gain while ducked, below zero. Raises ValueError."""
        if decibels >= 0:
            raise ValueError("a duck lowers the gain: decibels must be below zero")
        self._depth: float = 1.0 - 10.0 ** (decibels / 20.0)
        self._steps = max(1, to_samples(ramp_seconds, rate))
        self._step = 0  # 0: full gain, _steps: reduced
        self._target = 0

    @property
    def gain(self) -> float:
        """The gain of the last sample that passed, 1.0 for full."""
        return 1.0 - self._depth * self._step / self._steps

    @property
    def is_full(self) -> bool:
        """At full gain, and staying there."""
        return self._step == self._target == 0

    def duck(self) -> None:
        """Ramp down from the next sample on."""
        self._target = self._steps

    def restore(self) -> None:
        """Ramp back to full gain from the next sample on."""
        self._target = 0

    def reset(self) -> None:
        """Full gain at once, for a new answer."""
        self._step = self._target = 0

    def process(self, samples: Samples) -> Samples:
        """Samples [n] at the gain of their moment, [n]. At full gain, the very same array."""
        if self.is_full or not len(samples):
            return samples
        steps = np.arange(1, len(samples) + 1)
        if self._target > self._step:
            steps = np.minimum(self._step + steps, self._target)
        else:
            steps = np.maximum(self._step - steps, self._target)
        self._step = int(steps[-1])
        gains = (1.0 - self._depth * steps / self._steps).astype(np.float32)
        quieter: Samples = samples * gains
        return quieter
