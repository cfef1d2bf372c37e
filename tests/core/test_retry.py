"""When a delivery is tried again: the schedule, the jitter, and what the receiver asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost.delivery.retry import (
    JITTER,
    LONGEST_RETRY_AFTER,
    REHEARSAL,
    Schedule,
    retry_at,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEDULE = Schedule(name="s", title="30 s, 5 min, 1 h", source="a test", waits_s=(30, 300, 3_600))


def wait(
    *, tries: int = 1, chance: float = 0.0, retry_after: str | None = None
) -> timedelta | None:
    at = retry_at(SCHEDULE, tries=tries, now=NOW, chance=chance, retry_after=retry_after)
    return None if at is None else at - NOW


def test_a_schedule_counts_the_first_attempt_too() -> None:
    assert SCHEDULE.attempts == 4
    assert REHEARSAL.attempts == 21


def test_each_try_waits_as_long_as_its_place_in_the_schedule_says() -> None:
    assert [wait(tries=n) for n in (1, 2, 3)] == [
        timedelta(seconds=30),
        timedelta(minutes=5),
        timedelta(hours=1),
    ]


def test_after_its_last_wait_a_schedule_is_at_its_end() -> None:
    assert wait(tries=4) is None
    assert wait(tries=400) is None
    assert wait(tries=4, retry_after="60") is None


def test_a_schedule_without_waits_makes_one_attempt() -> None:
    once = Schedule(name="once", title="", source="", waits_s=())
    assert once.attempts == 1
    assert retry_at(once, tries=1, now=NOW, chance=0.5) is None


@given(st.integers(1, 3), st.floats(0, 1, exclude_max=True))
def test_jitter_only_makes_a_wait_longer_and_never_by_more_than_its_share(
    tries: int, chance: float
) -> None:
    plain, jittered = wait(tries=tries), wait(tries=tries, chance=chance)
    assert plain is not None
    assert jittered is not None
    assert plain <= jittered <= plain * (1 + JITTER)


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_more_chance_waits_longer(one: float, other: float) -> None:
    waits = [wait(chance=chance) for chance in sorted((one, other))]
    assert waits[0] is not None
    assert waits[1] is not None
    assert waits[0] <= waits[1]


def test_a_schedule_that_says_how_far_chance_goes_is_spread_so() -> None:
    spread = Schedule(name="s", title="", source="", waits_s=(10, 60), spreads_s=(0, 600))
    waits = [
        [retry_at(spread, tries=tries, now=NOW, chance=chance) for chance in (0.0, 0.5, 0.999)]
        for tries in (1, 2)
    ]
    assert waits[0] == [NOW + timedelta(seconds=10)] * 3
    assert waits[1][:2] == [NOW + timedelta(seconds=60), NOW + timedelta(seconds=360)]
    assert waits[1][2] is not None
    assert waits[1][2] < NOW + timedelta(seconds=660)
    assert spread.spreads() == [0, 600]
    assert SCHEDULE.spreads() == [3, 30, 360]


# --- what the receiver asked for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("120", timedelta(seconds=120)),
        ("  120 ", timedelta(seconds=120)),
        ("0120", timedelta(seconds=120)),
        ("29", timedelta(seconds=30)),
        ("0", timedelta(seconds=30)),
        ("86401", LONGEST_RETRY_AFTER),
        ("9" * 400, LONGEST_RETRY_AFTER),
    ],
)
def test_seconds_make_the_wait_longer_up_to_a_day_and_never_shorter(
    asked: str, expected: timedelta
) -> None:
    assert wait(retry_after=asked) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Sun, 01 Mar 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("Sunday, 01-Mar-26 12:10:00 GMT", timedelta(minutes=10)),
        ("Sun Mar  1 12:10:00 2026", timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 14:10:00 +0200", timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(seconds=30)),
        ("Sun, 01 Mar 1026 11:00:00 GMT", timedelta(seconds=30)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_an_http_date_makes_the_wait_longer_up_to_a_day_and_never_shorter(
    asked: str, expected: timedelta
) -> None:
    assert wait(retry_after=asked) == expected


@pytest.mark.parametrize(
    "asked",
    [
        "",
        " ",
        "soon",
        "-60",
        "+60",
        "1e3",
        "60.5",
        "\uff11\uff12\uff10",
        "\u0663",
        "60 60",
        "Sun, 99 Foo 2026",
        "\0",
    ],
)
def test_what_cannot_be_read_leaves_the_wait_as_it_was(asked: str) -> None:
    assert wait(retry_after=asked) == timedelta(seconds=30)


@given(st.integers(1, 86_400), st.integers(-14, 14))
def test_a_date_in_any_zone_means_the_same_moment(seconds: int, hours: int) -> None:
    at = (NOW + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=hours)))
    expected = max(timedelta(seconds=30), timedelta(seconds=seconds))
    assert wait(retry_after=format_datetime(at)) == expected


@given(
    st.text(max_size=60)
    | st.text("0123456789:,+- GMTSunMarFeb", max_size=60)
    | st.from_regex(r"\w{3}, \d{1,4} \w{3} \d{1,5} \d{1,3}:\d{1,3}:\d{1,3} [+-]?\d{0,6}")
)
@example("Sat, 01 Jan 0001 00:00:00 +2359")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("0")
def test_whatever_a_receiver_asks_the_wait_stays_between_the_schedule_and_a_day(asked: str) -> None:
    got = wait(retry_after=asked)
    assert got is not None
    assert timedelta(seconds=30) <= got <= LONGEST_RETRY_AFTER
