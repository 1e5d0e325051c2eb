"""The playout clock: tables of sendings and reports, and what holds after any of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.playout import PlayoutClock

RATE = 1000  # samples a second: a sample is a millisecond
NOW = 5000.0  # the session did not start at time zero


def clock(lead: float = 0.08, speed: float = 1.0, delay: float = 0.0) -> PlayoutClock:
    return PlayoutClock(RATE, lead=lead, speed=speed, delay=delay)


@pytest.mark.parametrize(
    ("sendings", "asked", "heard"),
    [
        pytest.param([], 1.0, 0, id="nothing sent"),
        pytest.param([(0.0, 80)], 0.0, 0, id="just sent"),
        pytest.param([(0.0, 80)], 0.05, 50, id="in the middle"),
        pytest.param([(0.0, 80)], 9.0, 80, id="never ahead of what was sent"),
        pytest.param([(0.0, 80), (0.04, 80)], 0.1, 100, id="joined without a gap"),
        pytest.param([(0.0, 80), (0.5, 80)], 0.53, 110, id="an underrun stalls it"),
        pytest.param([(0.0, 80), (0.5, 0), (0.6, 80)], 0.61, 90, id="nothing is no sound"),
    ],
)
def test_heard(sendings: list[tuple[float, int]], asked: float, heard: int) -> None:
    playout = clock()
    for at, samples in sendings:
        playout.sent(samples, NOW + at)
    assert playout.heard(NOW + asked) == heard
    assert playout.total == sum(samples for _, samples in sendings)


def test_a_report_corrects_what_was_heard_but_not_the_pace() -> None:
    playout = clock()
    playout.sent(80, NOW)
    assert playout.room(NOW + 0.06) == 60
    playout.report(20, NOW + 0.06)
    assert (playout.heard(NOW + 0.06), playout.heard(NOW + 0.1)) == (20, 60)
    assert playout.room(NOW + 0.06) == 60
    assert playout.delay == pytest.approx(0.04)
    assert playout.end(NOW + 0.06) == pytest.approx(NOW + 0.12)


def test_the_learned_delay_holds_after_an_underrun() -> None:
    playout = clock()
    playout.sent(80, NOW)
    playout.report(20, NOW + 0.06)
    playout.sent(80, NOW + 1.0)
    assert [playout.heard(NOW + t) for t in (1.0, 1.04, 1.06)] == [80, 80, 100]


def test_a_known_delay_starts_late() -> None:
    playout = clock(delay=0.2)
    playout.sent(80, NOW)
    assert [playout.heard(NOW + t) for t in (0.1, 0.2, 0.25, 9)] == [0, 0, 50, 80]
    assert playout.room(NOW + 0.08) == 80


def test_a_client_cannot_have_heard_more_than_was_sent() -> None:
    playout = clock()
    playout.sent(80, NOW)
    playout.report(5000, NOW + 0.01)
    assert playout.heard(NOW + 0.01) == 80
    assert playout.delay == 0.0
    playout.report(-3, NOW + 0.02)
    assert playout.heard(NOW + 0.02) == 0


def test_a_cut_freezes_and_a_truncation_corrects() -> None:
    playout = clock()
    playout.sent(80, NOW)
    assert playout.cut(NOW + 0.03) == 30
    assert (playout.heard(NOW + 9), playout.room(NOW + 9), playout.is_cut) == (30, 0, True)
    assert playout.all_heard(NOW + 0.03)
    playout.report(25, NOW + 0.2)
    assert playout.heard(NOW + 9) == 25
    with pytest.raises(ValueError, match="cut"):
        playout.sent(1, NOW + 0.2)


def test_playing_speed() -> None:
    playout = clock(speed=2.0)
    playout.sent(80, NOW)
    assert playout.heard(NOW + 0.03) == 60
    assert playout.end(NOW) == pytest.approx(NOW + 0.04)


@pytest.mark.parametrize(
    "wrong", [{"lead": 0.0}, {"speed": 0.0}, {"delay": -1.0}], ids=lambda wrong: next(iter(wrong))
)
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        clock(**wrong)


def test_samples_cannot_be_taken_back() -> None:
    with pytest.raises(ValueError, match="taken back"):
        clock().sent(-1, NOW)


def test_a_paced_sender_is_smooth_and_never_more_than_the_lead_ahead() -> None:
    playout, now, ahead = clock(), NOW, []
    for _ in range(200):
        now = playout.next_room_time(20, now)
        playout.sent(20, now)
        ahead.append(playout.total - playout.heard(now))
    assert max(ahead) <= 80
    assert min(ahead[4:]) >= 60  # it never lets the client run dry either
    assert playout.total == 4000
    assert now == pytest.approx(NOW + 3.92)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "report", "fill"]),
        st.integers(0, 200),
        st.floats(0, 0.3),
    ),
    max_size=40,
)


@given(STEPS, st.floats(0, 0.5))
def test_invariants(steps: list[tuple[str, int, float]], delay: float) -> None:
    playout, now, last = clock(delay=delay), NOW, 0
    for what, samples, wait in steps:
        now += wait
        assert last <= playout.heard(now) <= playout.total
        if what == "send":
            playout.sent(samples, now)
        elif what == "fill":
            room = playout.room(now)
            playout.sent(min(samples, room), now)
            assert playout.room(now) == room - min(samples, room)
        else:
            playout.report(samples, now)
            assert playout.heard(now) == min(samples, playout.total)
        last = playout.heard(now)
        then = playout.next_room_time(samples, now)
        assert then >= now and playout.room(then) >= min(samples, 80)
        assert playout.heard(playout.end(now)) == playout.total
    assert playout.cut(now) == last
