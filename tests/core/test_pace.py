"""A rate: so many requests a second, evenly, whatever comes at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.pace import BURST_S, Pace


def sent(pace: Pace, *, until_s: float, at_s: float = 0.0) -> list[float]:
    """When requests go out of somebody who always has another one."""
    times = []
    while at_s <= until_s:
        wait = pace.take(at_s)
        if wait == 0.0:
            times.append(at_s)
        else:
            at_s += wait
    return times


def test_requests_are_spread_evenly() -> None:
    assert sent(Pace(2.0, at_s=0.0), until_s=2.0) == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_rate_below_one_a_second_waits_for_seconds() -> None:
    assert sent(Pace(0.1, at_s=0.0), until_s=30.0) == [0.0, 10.0, 20.0, 30.0]


def test_resting_saves_up_a_tenth_of_a_second_and_no_more() -> None:
    pace = Pace(100.0, at_s=0.0)
    assert BURST_S == 0.1
    assert len([t for t in sent(pace, until_s=1_000.05, at_s=1_000.0) if t == 1_000.0]) == 10


@given(
    st.floats(0.1, 500), st.lists(st.floats(0, 2), max_size=40), st.integers(0, 10**6).map(float)
)
def test_never_more_than_the_rate_and_what_was_saved_up(
    per_s: float, waits: list[float], start: float
) -> None:
    pace, now, times = Pace(per_s, at_s=start), start, []
    for wait in waits:
        now += wait
        while pace.take(now) == 0.0:
            times.append(now)
    most = max(1.0, per_s * BURST_S)
    for i, first in enumerate(times):
        for count, last in enumerate(times[i:], 1):
            assert count <= most + (last - first) * per_s + 1e-3


@given(st.floats(0.1, 10_000), st.floats(0, 10**6))
def test_who_waits_as_long_as_told_may_go(per_s: float, start: float) -> None:
    pace, now = Pace(per_s, at_s=start), start
    for _ in range(5):
        while (wait := pace.take(now)) == 0.0:
            pass
        now += wait
        again = pace.take(now)
        assert again <= 1e-6 / per_s + 1e-6
