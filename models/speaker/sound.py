"""models.speaker: how loud a voice is."""

from __future__ import annotations

import numpy as np

from models.base import Samples

QUIETEST = -90.0  # dBFS


def level(samples: Samples) -> float:
    """The level of [n] in dBFS, at least QUIETEST."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(QUIETEST, 10 * float(np.log10(power + 1e-12)))
