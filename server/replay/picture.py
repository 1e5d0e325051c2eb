"""The time line as a picture (needs matplotlib)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.base import Verdict
from server.replay.story import Story, Stretch

_COLOURS = {
    "speaking": "tab:green",
    "paused": "gold",
    "preparing": "tab:cyan",
    "ducked": "tab:purple",
}
_SCORES = {"query": "tab:green", "noise": "tab:red", "unfinished": "gold", "text": "tab:blue"}
_VOICED = 0.3  # below it there is no voice that could be an echo
_MOST_SECONDS_A_ROW = 30.0


def draw(story: Story, path: Path) -> None:
    """Voice, verdicts, both parties' states and each decision with its reason, on one time line.

    Raises ModuleNotFoundError without matplotlib, OSError or ValueError on a path or a file type
    that cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    width = min(60.0, max(10.0, story.seconds / _MOST_SECONDS_A_ROW * 16))
    figure, rows = pyplot.subplots(3, 1, sharex=True, figsize=(width, 6), height_ratios=(1, 1, 1.2))
    _draw_voice(rows[0], story)
    _draw_verdicts(rows[1], story)
    _draw_states(rows[2], story)
    rows[2].set(xlabel="seconds of the session", xlim=(0, max(story.seconds, 0.1)))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_voice(axes: Any, story: Story) -> None:
    times = [now for now, _, _ in story.voice]
    axes.fill_between(times, [voice for _, voice, _ in story.voice], color="tab:green", alpha=0.5)
    echoes = [now for now, voice, echo in story.voice if echo and voice >= _VOICED]
    axes.plot(echoes, [1.02] * len(echoes), ".", color="tab:purple", markersize=3, label="echo")
    axes.set(ylabel="voice", ylim=(0, 1.1))
    if echoes:
        axes.legend(loc="upper left", fontsize="x-small")


def _draw_verdicts(axes: Any, story: Story) -> None:
    times = [now for now, _ in story.verdicts]
    for name, colour in _SCORES.items():
        values = [_score(verdict, name) for _, verdict in story.verdicts]
        if any(values):
            axes.plot(times, values, ".-", color=colour, label=name, linewidth=0.8, markersize=4)
    if times:
        axes.legend(loc="upper right", fontsize="x-small")
    axes.set(ylabel="verdict", ylim=(-0.02, 1.05))


def _draw_states(axes: Any, story: Story) -> None:
    for height, stretches in ((1, story.user), (0, story.assistant)):
        _draw_stretches(axes, stretches, height)
    for now, decision in story.decisions:
        axes.axvline(now, color="grey", linewidth=0.6)
        axes.annotate(
            decision.reason.value, (now, 1.45), rotation=60, fontsize="x-small", va="bottom"
        )
    for now in story.swaps:
        axes.plot([now], [0.5], marker="$⇅$", color="tab:blue", markersize=10)
    axes.set_yticks([0, 1], ["assistant", "user"])
    axes.set_ylim(-0.5, 2.6)
    for name, colour in _COLOURS.items():
        axes.bar([0], [0], color=colour, label=name)  # for the legend alone
    axes.legend(loc="upper left", ncols=len(_COLOURS), fontsize="x-small")


def _draw_stretches(axes: Any, stretches: list[Stretch], height: int) -> None:
    for stretch in stretches:
        colour = _COLOURS.get(stretch.name)
        if colour is not None:
            length = stretch.end - stretch.start
            axes.barh(height, length, left=stretch.start, height=0.6, color=colour)


def _score(verdict: Verdict, name: str) -> float:
    return float(getattr(verdict, name))
