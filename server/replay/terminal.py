"""The time line in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from server.replay.rerun import Difference
from server.replay.story import Story, Stretch

_COLOURS = {
    "silent": "grey35",
    "speaking": "green",
    "paused": "yellow",
    "listening": "grey35",
    "preparing": "cyan",
    "ducked": "magenta",
}
_MARKS = {"silent": "·", "listening": "·", "paused": "▂", "preparing": "▁", "ducked": "▃"}
_LEAST_STEP = 0.05  # seconds of one column


class TimelineRows:
    """Both voices as two lanes of columns, as many rows as the terminal needs."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(20, options.max_width - 12)
        step = max(_LEAST_STEP, self._story.seconds / (width * 4))
        row, begin = width * step, 0.0
        while begin < self._story.seconds:
            yield Text(f"{begin:9.2f} s ┬ {step * 1000:.0f} ms a column", style="dim")
            yield Text("     user  ") + self._lane(self._story.user, begin, step, width)
            yield Text("assistant  ") + self._lane(self._story.assistant, begin, step, width)
            begin += row

    def _lane(self, stretches: list[Stretch], begin: float, step: float, width: int) -> Text:
        lane = Text()
        for column in range(width):
            moment = begin + column * step
            if moment >= self._story.seconds:
                break
            name = _state_at(stretches, moment, moment + step)
            lane.append(_MARKS.get(name, "█"), style=_COLOURS.get(name, ""))
        return lane


def _state_at(stretches: list[Stretch], start: float, end: float) -> str:
    """The state that fills most of a column."""
    shares = [(min(one.end, end) - max(one.start, start), one.name) for one in stretches]
    return max(shares, default=(0.0, ""))[1]


def lines(story: Story) -> Table:
    """What happened, and why, one row each."""
    view = Table(box=None, header_style="bold")
    view.add_column("second", justify="right")
    view.add_column("who", no_wrap=True)
    view.add_column("what", ratio=3)
    view.add_column("why", ratio=2)
    for line in story.lines:
        view.add_row(f"{line.now:.3f}", line.side, Text(line.text), Text(line.why, style="dim"))
    return view


def summary(story: Story, swaps: list[float], differences: list[Difference]) -> Iterator[Text]:
    """Segments by reason, and whether the core decided the same again."""
    counts: dict[str, int] = {}
    for _, decision in story.decisions:
        counts[decision.reason.value] = counts.get(decision.reason.value, 0) + 1
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
    yield Text(f"{story.seconds:.1f} s, segments: {parts}; {len(story.swaps)} swaps")
    if swaps:
        shown = ", ".join(f"{seconds * 1000:.0f}" for seconds in swaps)
        yield Text(f"first token after the swap, ms: {shown}")
    if not differences:
        yield Text("The core does the same again, action by action.", style="green")
        return
    yield Text(f"The core differs in {len(differences)} actions; the first:", style="red")
    for one in differences[:5]:
        yield Text(f"  {one.now:.3f} s after {one.cause}: {one.recorded} -> {one.found}")
