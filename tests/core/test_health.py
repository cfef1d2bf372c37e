"""How an endpoint is doing: what attempts add up to, and what somebody is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.health import (
    FAILING_AFTER,
    FAILING_FOR,
    TOLD_EVERY,
    Cause,
    Condition,
    Health,
    Judgment,
    OperationalType,
    Pulse,
    condition,
    judge,
    rested,
    subject_of,
)
from milepost.delivery.model import Endpoint, EndpointState, Outcome

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FAILING, RECOVERED, PAUSED, ABANDONED = (
    OperationalType.FAILING,
    OperationalType.RECOVERED,
    OperationalType.PAUSED,
    OperationalType.ABANDONED,
)
ENDPOINT = Endpoint(
    account_id="acc_1",
    endpoint_id="ep_0123456789",
    contract="standard",
    url="https://receiver.example/",
    schedule="standard-webhooks",
    created_at=NOW,
    updated_at=NOW,
)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def failed(*seconds: float, **given: Any) -> Pulse:
    """Attempts that failed at these times, after nothing was acknowledged."""
    return Pulse(
        "acc_1",
        ENDPOINT.endpoint_id,
        failures=len(seconds),
        first_failure_at=at(seconds[0]),
        last_failure_at=at(seconds[-1]),
        outcome=Outcome.TIMEOUT,
        **given,
    )


def succeeded(seconds: float, **given: Any) -> Pulse:
    return Pulse("acc_1", ENDPOINT.endpoint_id, succeeded_at=at(seconds), **given)


def judged(
    *pulses: Pulse, health: Health | None = None, now: float = 0, **endpoint: Any
) -> Judgment:
    """What comes of these pulses one after another; the last judgment."""
    after = health or Health()
    found = Judgment(after)
    for pulse in pulses:
        found = judge(
            msgspec.structs.replace(ENDPOINT, **endpoint), health=after, pulse=pulse, now=at(now)
        )
        after = found.health
    return found


def told(judgment: Judgment) -> list[OperationalType]:
    return [event.type for event in judgment.events]


@pytest.mark.parametrize(
    ("seconds", "failing"),
    [
        ((0, 1, 2, 3, 4), False),
        ((0, 3_600), False),
        ((0, 30, 59.9), False),
        ((0, 30, 60), True),
        ((0, 300, 600), True),
    ],
)
def test_failing_takes_several_failures_over_a_while(
    seconds: tuple[float, ...], failing: bool
) -> None:
    assert FAILING_AFTER == 3
    assert timedelta(minutes=1) == FAILING_FOR
    found = judged(failed(*seconds))
    assert found.health.failing is failing
    assert told(found) == ([FAILING] if failing else [])


def test_failures_add_up_over_pulses_and_are_told_once() -> None:
    first = judged(failed(0, 1))
    assert (first.health.failures, first.health.failing_since, told(first)) == (2, at(0), [])
    second = judged(failed(61), health=first.health, now=61)
    assert told(second) == [FAILING]
    (event,) = second.events
    assert (event.at, event.since, event.cause) == (at(61), at(0), Cause.RECEIVER)
    assert event.why == "3 attempts in a row have failed, the last one with timeout"
    assert told(judged(failed(70, 80, 90), health=second.health)) == []


def test_one_acknowledgment_ends_it_and_is_told() -> None:
    failing = judged(failed(0, 30, 60))
    found = judged(succeeded(90), health=failing.health, now=90)
    assert told(found) == [RECOVERED]
    assert found.events[0].since == at(0)
    assert found.health == Health(
        last_success_at=at(90), last_failure_at=at(60), last_outcome=Outcome.TIMEOUT
    )
    assert told(judged(succeeded(91), health=found.health)) == []


def test_failures_among_successes_are_no_trouble() -> None:
    mixed = [pulse for s in range(0, 600, 60) for pulse in (failed(s, s + 1), succeeded(s + 2))]
    found = judged(*mixed)
    assert (found.health.failures, found.health.failing_since) == (0, None)


def test_failures_after_the_last_success_of_a_pulse_count_from_there() -> None:
    before = judged(failed(0, 30, 60)).health
    pulse = msgspec.structs.replace(failed(100, 101), succeeded_at=at(99))
    found = judged(pulse, health=before)
    assert told(found) == [RECOVERED]
    assert (found.health.failures, found.health.failing_since) == (2, at(100))


def test_what_another_process_has_acknowledged_meanwhile_counts() -> None:
    """Here failures alone were seen, and come on record after the other's success."""
    other = judged(succeeded(50)).health
    found = judged(failed(0, 30, 61), health=other)
    assert (found.health.failing_since, told(found)) == (at(50), [])
    late = judged(succeeded(40), health=Health(failures=4, failing_since=at(50)))
    assert (late.health.failures, late.health.last_success_at) == (4, at(40))


@pytest.mark.parametrize(
    ("hours", "lasted_h", "pauses"),
    [(None, 10_000, False), (24, 23.9, False), (24, 24, True), (1, 2, True)],
)
def test_a_rule_pauses_after_hours_of_nothing_but_failures(
    hours: float | None, lasted_h: float, pauses: bool
) -> None:
    seconds = lasted_h * 3_600
    found = judged(failed(0, 1), failed(seconds), pause_after_h=hours, now=seconds)
    assert (found.pause is not None) is pauses
    assert told(found) == ([FAILING, PAUSED] if pauses else [FAILING])
    if pauses:
        assert found.pause == f"nothing but failures for {hours:g} hours"
        assert found.events[-1].cause is Cause.RULE


def test_two_failures_never_pause_however_far_apart() -> None:
    assert judged(failed(0, 10**6), pause_after_h=1).pause is None


def test_while_it_is_paused_nobody_is_told_of_failures_or_of_the_end_of_them() -> None:
    paused: dict[str, Any] = {"state": EndpointState.PAUSED}
    found = judged(failed(0, 30, 7_200), pause_after_h=1, **paused)
    assert (told(found), found.pause, found.health.failures) == ([], None, 3)
    failing = judged(failed(0, 30, 60)).health
    assert told(judged(succeeded(70), health=failing, **paused)) == []


def test_deliveries_that_are_given_up_are_told_together() -> None:
    first = judged(failed(0, abandoned=1, abandoned_since=at(0)), now=0)
    assert told(first) == [ABANDONED]
    assert (first.events[0].abandoned, first.events[0].since) == (1, at(0))
    second = judged(failed(5, abandoned=40, abandoned_since=at(5)), health=first.health, now=5)
    assert told(second) == []
    third = judged(failed(7, abandoned=2, abandoned_since=at(7)), health=second.health, now=7)
    assert (third.health.abandoned, third.health.abandoned_since) == (42, at(5))
    later = TOLD_EVERY.total_seconds()
    assert told(judged(Pulse("acc_1", "ep_0123456789"), health=third.health, now=599)) == []
    swept = judged(Pulse("acc_1", "ep_0123456789"), health=third.health, now=later)
    assert told(swept) == [ABANDONED]
    assert (swept.events[0].abandoned, swept.events[0].since) == (42, at(5))
    assert (swept.health.abandoned, swept.health.abandoned_since) == (0, None)


def test_who_is_resumed_begins_anew() -> None:
    failing = judged(failed(0, 30, 60)).health
    health = rested(failing)
    assert (health.failures, health.failing_since, health.failing) == (0, None, False)
    assert health.last_failure_at == at(60)
    assert told(judged(failed(10**6), health=health, pause_after_h=1)) == []


@pytest.mark.parametrize(
    ("state", "failing", "expected"),
    [
        (EndpointState.ACTIVE, False, Condition.HEALTHY),
        (EndpointState.ACTIVE, True, Condition.FAILING),
        (EndpointState.PAUSED, False, Condition.PAUSED),
        (EndpointState.PAUSED, True, Condition.PAUSED),
    ],
)
def test_an_endpoint_is_in_one_condition(
    state: EndpointState, failing: bool, expected: Condition
) -> None:
    assert condition(state, health=Health(failing=failing)) is expected


def test_each_endpoint_has_a_lane_of_its_own_for_what_happens_to_it() -> None:
    assert subject_of("ep_0123456789") == "ops_0123456789"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 400)), max_size=60))
def test_failing_and_recovered_are_told_in_turns(history: list[tuple[bool, int]]) -> None:
    health, second, heard = Health(), 0, []
    for works, wait in history:
        second += wait
        pulse = succeeded(second) if works else failed(second)
        found = judge(ENDPOINT, health=health, pulse=pulse, now=at(second))
        heard += told(found)
        health = found.health
    assert heard[::2] == [FAILING] * len(heard[::2])
    assert heard[1::2] == [RECOVERED] * len(heard[1::2])
    assert health.failing is (len(heard) % 2 == 1)
