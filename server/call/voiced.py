"""The caller's room: where a recording is loud, by its energy alone.

The truth of every benchmark scene comes from here, so it must not know our own detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audio.frame import Samples

STEP = 0.01  # seconds of one energy frame
SILENCE = -90.0  # dBFS: digital silence, which says nothing about the room
AUDIBLE = 10 ** (-50 / 20)  # amplitude at which a listener hears an answer

_BELOW_PEAK = 30.0  # dB: speech is rarely softer than this against its own loudest part
_STRONG = 22.0  # dB below the peak: a sound that stays softer is speech only next to speech
_NEXT_TO = 0.1  # seconds
_ABOVE_FLOOR = 9.0  # dB: the room does not get louder than this by itself
_CLICK = 0.06  # seconds: a shorter sound, far from all others, is a mouse and no word
_FAR = 0.3


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end`, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def shifted(self, by: float) -> Span:
        return Span(self.start + by, self.end + by)

    def overlap(self, other: Span) -> float:
        """Seconds that both have in common."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))


def levels(samples: Samples, rate: int) -> npt.NDArray[np.float64]:
    """Loudness of each 10 ms of samples [n], in dBFS, [n / (rate * 0.01)]."""
    length = max(1, round(rate * STEP))
    count = len(samples) // length
    frames = samples[: count * length].reshape(count, length).astype(np.float64)
    power = np.mean(frames**2, axis=1) if count else np.zeros(0)
    loudness: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE / 10)))
    return loudness


def threshold(loudness: npt.NDArray[np.float64]) -> float:
    """The level in dBFS that parts this recording's sound from its room."""
    heard = loudness[loudness > SILENCE + 1]
    if not len(heard):
        return 0.0
    floor, peak = np.percentile(heard, 10), _peak(loudness)
    # Steady sound has its floor at its peak; then nearly all of it counts.
    return float(min(max(peak - _BELOW_PEAK, floor + _ABOVE_FLOOR), peak - 6.0))


def voiced_spans(samples: Samples, rate: int, *, gap: float = 0.2) -> tuple[Span, ...]:
    """The loud parts of samples [n], joined over gaps under `gap` seconds, clicks left out."""
    loudness = levels(samples, rate)
    if not len(loudness):
        return ()
    loud = np.concatenate(([False], loudness >= threshold(loudness), [False]))
    edges: list[int] = np.flatnonzero(loud[1:] != loud[:-1]).tolist()
    runs = [Span(a * STEP, b * STEP) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    strong = [run for run in runs if _loudest(run, loudness) >= _peak(loudness) - _STRONG]
    kept = [run for run in runs if run in strong or _distance(run, strong) < _NEXT_TO]
    return merged([run for run in kept if not _is_click(run, kept)], gap)


def merged(spans: list[Span], gap: float) -> tuple[Span, ...]:
    """Ordered spans, joined where less than `gap` seconds lie between them."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start - joined[-1].end < gap - 1e-9:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


def bounds(samples: Samples, rate: int) -> Span | None:
    """First and last loud moment of samples [n]; None where all is silent."""
    spans = voiced_spans(samples, rate)
    return Span(spans[0].start, spans[-1].end) if spans else None


def audible_bounds(samples: Samples) -> tuple[int, int] | None:
    """First audible sample of [n] and the one after the last; None if there is none."""
    loud = np.flatnonzero(np.abs(samples) >= AUDIBLE)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else None


def _is_click(run: Span, runs: list[Span]) -> bool:
    if run.seconds >= _CLICK:
        return False
    distance = _distance(run, [other for other in runs if other is not run])
    return _FAR < distance < float("inf")


def _distance(run: Span, others: list[Span]) -> float:
    """Seconds to the nearest of the others; infinite without any."""
    gaps = (max(other.start - run.end, run.start - other.end) for other in others)
    return min(gaps, default=float("inf"))


def _loudest(run: Span, loudness: npt.NDArray[np.float64]) -> float:
    return float(loudness[round(run.start / STEP) : round(run.end / STEP)].max())


def _peak(loudness: npt.NDArray[np.float64]) -> float:
    return float(np.percentile(loudness[loudness > SILENCE + 1], 98))
