"""Where speech can be cut: quiet places, and the silence in front of it."""

from __future__ import annotations

import numpy as np

from models.base import Samples

WINDOW = 2401  # samples over which loudness is averaged (100 ms at 24 kHz)
ONSET = 0.03  # the level at which speech has begun


def quiet_place(samples: Samples, threshold: float, window: int = WINDOW) -> int | None:
    """Where to cut [n]: the quietest sample in and behind the quietest window whose middle lies in
    the second half; None if no such window has a mean level under `threshold`.

    How far behind is as the released model has it: as far as the window lies from the first one.
    """
    level = np.abs(samples).astype(np.float64)
    if len(level) < window:
        return None
    sums = np.concatenate(([0.0], np.cumsum(level)))
    means = (sums[window:] - sums[:-window]) / window  # by first sample of the window
    first = max(0, len(level) // 2 - window // 2)
    best = first + int(np.argmin(means[first:]))
    if means[best] >= threshold:
        return None
    reach = window + best - first
    return best + int(np.argmin(level[best : best + reach]))


def trim_onset(samples: Samples, level: float = ONSET) -> Samples:
    """Without the silence in front (all of it, if nothing is louder than `level`)."""
    loud = np.flatnonzero(np.abs(samples) > level)
    return samples[loud[0] :] if len(loud) else samples[:0]
