"""Does a figure grow while time passes? A slope, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.percentiles import interval

Points = Sequence[tuple[float, float]]
_Numbers = npt.NDArray[np.float64]

_BLOCKS = 12
_AN_HOUR = 3600.0


def growth(points: Points, settled: float = 0.1) -> dict[str, Any] | None:
    """The straight line through points (seconds, value) after the first tenth; growth an hour.

    `interval` is the slope's 95 % bootstrap interval over twelve stretches of time, drawn whole,
    since neighbours in time resemble each other; None where there are too few points for that.
    """
    if not points:
        return None
    first = points[0][0] + settled * (points[-1][0] - points[0][0])
    kept = np.asarray([point for point in points if point[0] >= first], dtype=np.float64)
    if len(kept) < 3:
        return None
    return {
        "per_hour": float(_slopes(_sums(kept)[None])[0] * _AN_HOUR),
        "interval": _interval(kept),
        "first": float(kept[0, 1]),
        "last": float(kept[-1, 1]),
    }


def _interval(points: _Numbers) -> list[float] | None:
    """Of the slope an hour through points [n, 2]."""
    if len(points) < 3 * _BLOCKS:
        return None
    sums = np.stack([_sums(block) for block in np.array_split(points, _BLOCKS)])

    def slopes(drawn: _Numbers, axis: int) -> _Numbers:
        return _slopes(sums[drawn.astype(np.intp)].sum(axis)) * _AN_HOUR

    return list(interval(np.arange(_BLOCKS, dtype=np.float64), slopes))


def _sums(points: _Numbers) -> _Numbers:
    """What a line through points [n, 2] is made of: n, sums of t, y, t squared and t times y."""
    times, values = points.T
    return np.array(
        [len(points), times.sum(), values.sum(), (times * times).sum(), (times * values).sum()]
    )


def _slopes(sums: _Numbers) -> _Numbers:
    """Least-squares slopes [n] from sums [n, 5]; 0 where all points share one moment."""
    count, time, value, squares, products = sums.T
    spread = count * squares - time * time
    found: _Numbers = np.zeros_like(spread)
    np.divide(count * products - time * value, spread, out=found, where=spread > 0)
    return found
