"""models.training: what Moonshine makes of a clip, kept beside it, for the language model to learn
from its real mistakes. Nothing is asked where Moonshine is not installed."""

from __future__ import annotations

from functools import cache

import numpy as np

from audio.frame import Samples
from models.moonshine import Moonshine, MoonshineUnavailable, load

SHARE = 0.2  # of the clips of a corpus: enough to know the mistakes
LOUD, QUIET = 3.0, 35.0  # signal to noise ratios in decibels between which clips are heard


def recognised(samples: Samples) -> str:
    """The words of samples [n] at 16 kHz under some noise. Of Chinese it makes English words,
    which are kept: the language model has to learn that they mean nothing."""
    recogniser = _recogniser()
    if recogniser is None:
        return ""
    random = np.random.default_rng(len(samples))
    ratio = random.uniform(LOUD, QUIET)
    level = float(np.sqrt(np.mean(np.square(samples)) + 1e-12))
    noise = random.normal(0, level * 10 ** (-ratio / 20), len(samples))
    noisy = (samples + noise).astype(np.float32)
    return recogniser.recognise(noisy).text


@cache
def _recogniser() -> Moonshine | None:
    try:
        return load()
    except MoonshineUnavailable:
        return None
