"""Shares, percentiles and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_RESAMPLES = 2_000
_P95_FROM = 100  # trials below which a 95th percentile says nothing
_P99_FROM = 500


def rate(hits: Sequence[bool]) -> dict[str, Any]:
    """The share of hits with its 95 % bootstrap interval; if all agree, the rule of three."""
    values = np.asarray(hits, dtype=np.float64)
    if not len(values):
        return {"count": 0, "hits": 0, "rate": None, "interval": None}
    low, high = interval(values, np.mean)
    if values.min() == values.max():
        # All alike: the bootstrap would claim certainty.
        margin = min(1.0, 3 / len(values))
        low, high = (max(0.0, low - margin), 1.0) if values[0] else (0.0, margin)
    return {
        "count": len(values),
        "hits": int(values.sum()),
        "rate": float(values.mean()),
        "interval": [low, high],
    }


def distribution(seconds: Sequence[float]) -> dict[str, Any]:
    """Percentiles in milliseconds, as far as the number of trials carries them."""
    values = np.asarray(seconds, dtype=np.float64) * 1000
    found: dict[str, Any] = {"count": len(values)}
    if not len(values):
        return found | {"p50_ms": None, "interval_ms": None}
    found |= {
        "mean_ms": float(values.mean()),
        "p50_ms": float(np.percentile(values, 50)),
        "interval_ms": list(interval(values, np.median)),
        "p90_ms": float(np.percentile(values, 90)),
        "worst_ms": float(values.max()),
    }
    if len(values) >= _P95_FROM:
        found["p95_ms"] = float(np.percentile(values, 95))
    if len(values) >= _P99_FROM:
        found["p99_ms"] = float(np.percentile(values, 99))
    return found


def percentile(seconds: Sequence[float], share: float) -> float | None:
    """One percentile in milliseconds, whatever the number of trials; None without any."""
    return float(np.percentile(np.asarray(seconds) * 1000, share)) if len(seconds) else None


def interval(values: Values, statistic: Callable[..., Any], seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of a statistic of [n] values."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(values), (_RESAMPLES, len(values)))
    estimates = statistic(values[drawn], axis=1)
    low, high = np.percentile(estimates, [2.5, 97.5])
    return float(low), float(high)
