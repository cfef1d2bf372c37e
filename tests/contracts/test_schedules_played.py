"""Every schedule of every contract, played to its end on a clock of its own."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from milepost.contracts import ROOMS
from milepost.contracts.contract import Contract
from milepost.delivery.model import Failure, Outcome, Reply
from milepost.delivery.outcome import Abandon, Pause, Retry, Step, next_step, outcome_of
from milepost.delivery.retry import DAY, HOUR, MINUTE, Schedule

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVERY = [
    pytest.param(room, schedule, id=f"{room.name} {schedule.name}")
    for room in ROOMS.values()
    for schedule in room.schedules
]
REPLIES = [Reply(status) for status in (302, 400, 404, 429, 500, 503)] + [
    Reply(0, failure=failure) for failure in Failure
]


def played(
    room: Contract, schedule: Schedule, *replies: Reply, chance: float = 0.0
) -> tuple[list[float], Step]:
    """The seconds at which attempts are made while they are answered so, and the last step."""
    now, times, tries = NOW, [0.0], 0
    while True:
        reply = replies[tries % len(replies)]
        tries += 1
        step = next_step(
            outcome_of(reply, received=room.received),
            schedule=schedule,
            tries=tries,
            now=now,
            chance=chance,
            retry_after=reply.header("retry-after"),
        )
        if not isinstance(step, Retry):
            return times, step
        now = step.at
        times.append((now - NOW).total_seconds())


@pytest.mark.parametrize(("room", "schedule"), EVERY)
def test_whatever_fails_the_schedule_is_played_to_its_end_and_no_further(
    room: Contract, schedule: Schedule
) -> None:
    times, step = played(room, schedule, *REPLIES)
    assert step == Abandon()
    assert len(times) == schedule.attempts
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == list(
        schedule.waits_s
    )


@pytest.mark.parametrize(("room", "schedule"), EVERY)
def test_chance_makes_it_longer_by_what_the_schedule_says_at_most(
    room: Contract, schedule: Schedule
) -> None:
    times, _ = played(room, schedule, Reply(500), chance=0.999)
    least, most = sum(schedule.waits_s), sum(schedule.waits_s) + sum(schedule.spreads())
    assert least <= times[-1] <= most


@pytest.mark.parametrize(
    ("name", "attempts", "lasts_s"),
    [
        ("fixed-100x5m", 101, 500 * MINUTE),
        ("exponential-8", 9, 30 + (1 + 2 + 4 + 8 + 16 + 32 + 60) * MINUTE),
        ("three-days", 79, 3 * DAY),
    ],
)
def test_the_published_schedules_of_shipmonk_last_as_long_as_published(
    name: str, attempts: int, lasts_s: float
) -> None:
    room = ROOMS["shipmonk"]
    times, _ = played(room, room.schedule(name), Reply(422))
    assert (len(times), times[-1]) == (attempts, lasts_s)


def test_the_cycles_of_withings_are_two_tries_each_and_further_and_further_apart() -> None:
    room = ROOMS["withings"]
    times, _ = played(room, room.schedule("health-data-cycles"), Reply(500))
    firsts = times[::2]
    assert [later - first for first, later in zip(firsts, times[1::2], strict=True)] == [1] * 5
    gaps = [b - a - 1 for a, b in itertools.pairwise(firsts)]
    assert gaps == [10, MINUTE, HOUR, 4 * HOUR]
    late, _ = played(room, room.schedule("health-data-cycles"), Reply(500), chance=0.5)
    gaps = [b - a - 1 for a, b in zip(late[::2], late[2::2], strict=False)]
    assert gaps == [10, 6 * MINUTE, HOUR + 10 * MINUTE, 4 * HOUR + 15 * MINUTE]


@pytest.mark.parametrize(("room", "schedule"), EVERY)
@pytest.mark.parametrize(
    "asked", ["7200", (NOW + timedelta(hours=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")]
)
def test_a_receiver_may_ask_for_more_time_in_seconds_or_by_a_date(
    room: Contract, schedule: Schedule, asked: str
) -> None:
    busy = Reply(429, headers=(("retry-after", asked),))
    times, step = played(room, schedule, busy, Reply(500))
    assert times[1] == max(2 * HOUR, schedule.waits_s[0])
    assert len(times) == schedule.attempts
    assert step == Abandon()


@pytest.mark.parametrize("room", ROOMS.values(), ids=lambda room: room.name)
def test_410_pauses_in_every_contract_on_whichever_attempt(room: Contract) -> None:
    outcome = outcome_of(Reply(410), received=room.received)
    assert outcome is Outcome.GONE
    for tries in (1, 5, 1_000):
        step = next_step(outcome, schedule=room.schedules[0], tries=tries, now=NOW, chance=0)
        assert isinstance(step, Pause)
