"""Edges of segments from windows of 32 ms, as tables."""

from __future__ import annotations

import pytest

from duplex.events import VoiceMeasured
from duplex.voice_activity import VoiceTracker

W = 0.032


def edges(tracker: VoiceTracker, *windows: tuple[float, bool, float | None]) -> list[str]:
    """Windows as (probability, echo, seconds by which the level lags the window's end)."""
    found = []
    for number, (probability, echo, lag) in enumerate(windows):
        end = (number + 1) * W
        until = None if lag is None else end - lag
        found.append(tracker.measure(VoiceMeasured(end - W, end, probability, echo, until)).value)
    return found


V, Q = (0.9, False, None), (0.1, False, None)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([Q, V, V], ["quiet", "onset", "voiced"]),
        ([V, Q, V], ["onset", "voiced", "voiced"]),  # one quiet window is no pause
        ([V, Q, Q, Q, V], ["onset", "voiced", "voiced", "paused", "resumed"]),
        ([V, (0.4, False, None)], ["onset", "voiced"]),  # leaving needs less than entering
        ([(0.4, False, None)], ["quiet"]),
        ([(0.9, True, None)] * 3, ["quiet"] * 3),
    ],
)
def test_edges(windows: list[tuple[float, bool, float | None]], expected: list[str]) -> None:
    assert edges(VoiceTracker(), *windows) == expected


def test_the_level_says_when_voice_ended_before_the_detector_falls() -> None:
    tracker = VoiceTracker()
    lags = [0.0, 0.0, 0.0, 0.03, 0.06, 0.09, 0.12]
    assert edges(tracker, *[(0.9, False, lag) for lag in lags])[-2:] == ["paused", "quiet"]
    assert tracker.last_voiced == pytest.approx(3 * W + 0.004, abs=0.003)


def test_under_a_steady_noise_the_detector_alone_must_do() -> None:
    assert edges(VoiceTracker(), *[(0.9, False, 0.15)] * 4) == ["onset"] + ["voiced"] * 3


def test_an_echo_is_told_once_it_is_over() -> None:
    tracker = VoiceTracker()
    edges(tracker, *[(0.9, True, None)] * 4)
    assert tracker.finished_echo(0.2) is None
    assert tracker.finished_echo(0.5) == pytest.approx((0.0, 4 * W))
    assert tracker.finished_echo(0.6) is None
