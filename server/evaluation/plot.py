"""The figures as a picture (needs matplotlib)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_BETTER_LESS = ("false_query", "failed", "word_errors")


def plot(figures: dict[str, Any], path: Path) -> None:
    """One bar a figure with its count. Raises ModuleNotFoundError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in figures if isinstance(figures.get(f"{name}_count"), int)]
    shown = [name for name in reversed(names) if figures[name] is not None]
    figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(shown) + 1))
    for row, name in enumerate(shown):
        value = figures[name] * 100
        axes.barh(row, value, color=_colour(name), alpha=0.7)
        axes.text(value + 1, row, f"{value:.1f} % of {figures[f'{name}_count']}", va="center")
    axes.set_yticks(range(len(shown)), [name.replace("_", " ") for name in shown])
    axes.set(xlim=(0, 130), xlabel="per cent (red: less is better)")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _colour(name: str) -> str:
    return "tab:red" if any(part in name for part in _BETTER_LESS) else "tab:green"
