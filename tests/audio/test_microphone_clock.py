"""The microphone's time line is kept by its promptest arrivals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.frame import HEAR_RATE
from audio.microphone_clock import LONGEST_LATE, MicrophoneClock

FRAME = 320


@given(st.lists(st.floats(0.0, 0.2), min_size=30, max_size=200))
def test_late_arrivals_do_not_move_it(delays: list[float]) -> None:
    clock, now = MicrophoneClock(), 0.0
    clock.arrived(FRAME, 0.02)
    for number, delay in enumerate(delays, 2):
        now = max(now, number * 0.02 + (delay if number % 25 < 5 else 0.0))
        clock.arrived(FRAME, now)
        assert clock.position(now + 0.1) == pytest.approx((now + 0.1) * HEAR_RATE, abs=1)


def test_a_microphone_that_was_off_begins_anew() -> None:
    clock = MicrophoneClock()
    assert clock.position(5.0) == 0
    clock.arrived(FRAME, 0.02)
    assert clock.position(0.02 + LONGEST_LATE + 0.1) == FRAME
    for number in range(1, 4):
        clock.arrived(FRAME, 9.0 + number * 0.02)
    assert clock.position(9.06) == 4 * FRAME
    assert clock.position(9.07) == 4 * FRAME + HEAR_RATE // 100
