"""How an endpoint is doing: what its attempts add up to, and what somebody is told of it; pure.

An endpoint is failing when nothing has been acknowledged since at least FAILING_AFTER attempts
that failed, over at least FAILING_FOR. The numbers are ours; no contract publishes any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from milepost.delivery.model import OPERATIONS, Body, Endpoint, EndpointState, Outcome

FAILING_AFTER = 3
FAILING_FOR = timedelta(minutes=1)
TOLD_EVERY = timedelta(minutes=10)
"""How long deliveries that were given up are counted together before they are told of again."""


class Condition(StrEnum):
    """How an endpoint is doing, for whoever looks."""

    HEALTHY = "healthy"
    FAILING = "failing"
    PAUSED = "paused"


class OperationalType(StrEnum):
    """What can happen to an endpoint that somebody should hear of."""

    FAILING = "endpoint.failing"
    RECOVERED = "endpoint.recovered"
    PAUSED = "endpoint.paused"
    RESUMED = "endpoint.resumed"
    ABANDONED = "delivery.abandoned"


class Cause(StrEnum):
    """Who or what was behind it."""

    OPERATOR = "operator"
    RECEIVER = "receiver"
    RULE = "rule"


class Health(msgspec.Struct, frozen=True, gc=False):
    """What is on record of an endpoint's attempts; a few seconds old while all goes well.

    `failures` are those in a row since anything was acknowledged, the first of them at
    `failing_since`. `failing` says that the rule holds and that it was told. `abandoned` are the
    deliveries that were given up and not told of yet, the first of them at `abandoned_since`.
    """

    failures: int = 0
    failing_since: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_outcome: Outcome | None = None
    failing: bool = False
    abandoned: int = 0
    abandoned_since: datetime | None = None
    abandoned_told_at: datetime | None = None


class Pulse(msgspec.Struct, frozen=True, gc=False):
    """What one process has seen of an endpoint's attempts since it last put that on record.

    The failures are those after the last success, if there was one.
    """

    account_id: str
    endpoint_id: str
    succeeded_at: datetime | None = None
    failures: int = 0
    first_failure_at: datetime | None = None
    last_failure_at: datetime | None = None
    outcome: Outcome | None = None
    abandoned: int = 0
    abandoned_since: datetime | None = None


class OperationalEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to an endpoint and not to an order.

    `since` is when the trouble that it is about began; `abandoned` counts deliveries.
    """

    type: OperationalType
    at: datetime
    endpoint: Endpoint
    cause: Cause
    why: str
    since: datetime | None = None
    health: Health | None = None
    abandoned: int = 0

    @property
    def subject(self) -> str:
        """The order id under which it is sent: each endpoint has a lane of its own."""
        return subject_of(self.endpoint.endpoint_id)


class OperationalNotice(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to whoever subscribed: its bytes by contract, given its number."""

    event: OperationalEvent
    bodies: Callable[[int], Mapping[str, Body]]


class Judgment(msgspec.Struct, frozen=True, gc=False):
    """What follows from a pulse: the new record, who hears of what, and why to pause, if so."""

    health: Health
    events: tuple[OperationalEvent, ...] = ()
    pause: str | None = None


def subject_of(endpoint_id: str) -> str:
    """The order id under which an endpoint's operational events are sent."""
    return OPERATIONS + endpoint_id.rpartition("_")[2]


def condition(state: EndpointState, *, health: Health) -> Condition:
    """How an endpoint of this state and record is doing."""
    if state is EndpointState.PAUSED:
        return Condition.PAUSED
    return Condition.FAILING if health.failing else Condition.HEALTHY


def rested(health: Health) -> Health:
    """The record of an endpoint that is resumed: what failed before it was paused is over."""
    return msgspec.structs.replace(health, failures=0, failing_since=None, failing=False)


def judge(endpoint: Endpoint, *, health: Health, pulse: Pulse, now: datetime) -> Judgment:
    """What a pulse makes of the record; of a paused endpoint only deliveries given up are told."""
    events: list[OperationalEvent] = []
    after = _merged(health, pulse)
    pause: str | None = None
    recovered = health.failing and not after.failing
    if endpoint.state is EndpointState.ACTIVE:
        if recovered:
            events.append(_recovered(endpoint, health=health, now=now))
        if not after.failing and _fails(after):
            after = msgspec.structs.replace(after, failing=True)
            events.append(_failing(endpoint, health=after, now=now))
        pause = _reason_to_pause(endpoint, health=after)
        if pause is not None:
            events.append(_paused(endpoint, why=pause, health=after, now=now))
    if _is_to_tell(after, now=now):
        events.append(_given_up(endpoint, health=after, now=now))
        after = msgspec.structs.replace(
            after, abandoned=0, abandoned_since=None, abandoned_told_at=now
        )
    return Judgment(after, tuple(events), pause)


def _merged(health: Health, pulse: Pulse) -> Health:
    """The record with the pulse in it; other processes may have put theirs there meanwhile."""
    failures, since, failing = health.failures, health.failing_since, health.failing
    success = _later(health.last_success_at, pulse.succeeded_at)
    if pulse.succeeded_at is not None and (since is None or pulse.succeeded_at >= since):
        failures, since, failing = 0, None, False
    if pulse.failures:
        failures += pulse.failures
        since = since or _later(pulse.first_failure_at, success)
    return Health(
        failures=failures,
        failing_since=since,
        last_success_at=success,
        last_failure_at=_later(health.last_failure_at, pulse.last_failure_at),
        last_outcome=pulse.outcome or health.last_outcome,
        failing=failing,
        abandoned=health.abandoned + pulse.abandoned,
        abandoned_since=health.abandoned_since or pulse.abandoned_since,
        abandoned_told_at=health.abandoned_told_at,
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _failing_for(health: Health) -> timedelta:
    if health.failing_since is None or health.last_failure_at is None:
        return timedelta()
    return health.last_failure_at - health.failing_since


def _fails(health: Health) -> bool:
    return health.failures >= FAILING_AFTER and _failing_for(health) >= FAILING_FOR


def _reason_to_pause(endpoint: Endpoint, *, health: Health) -> str | None:
    hours = endpoint.pause_after_h
    if hours is None or health.failures < FAILING_AFTER:
        return None
    if _failing_for(health) < timedelta(hours=hours):
        return None
    return f"nothing but failures for {hours:g} hours"


def _is_to_tell(health: Health, *, now: datetime) -> bool:
    told_at = health.abandoned_told_at
    return health.abandoned > 0 and (told_at is None or now - told_at >= TOLD_EVERY)


# events


def _recovered(endpoint: Endpoint, *, health: Health, now: datetime) -> OperationalEvent:
    return OperationalEvent(
        OperationalType.RECOVERED,
        now,
        endpoint,
        Cause.RECEIVER,
        f"a delivery was acknowledged after {health.failures} attempts that failed",
        health.failing_since,
        health,
    )


def _failing(endpoint: Endpoint, *, health: Health, now: datetime) -> OperationalEvent:
    outcome = "" if health.last_outcome is None else f", the last one with {health.last_outcome}"
    return OperationalEvent(
        OperationalType.FAILING,
        now,
        endpoint,
        Cause.RECEIVER,
        f"{health.failures} attempts in a row have failed{outcome}",
        health.failing_since,
        health,
    )


def _paused(endpoint: Endpoint, *, why: str, health: Health, now: datetime) -> OperationalEvent:
    return OperationalEvent(
        OperationalType.PAUSED, now, endpoint, Cause.RULE, why, health.failing_since, health
    )


def _given_up(endpoint: Endpoint, *, health: Health, now: datetime) -> OperationalEvent:
    return OperationalEvent(
        OperationalType.ABANDONED,
        now,
        endpoint,
        Cause.RECEIVER,
        "the schedule came to its end",
        health.abandoned_since,
        health,
        health.abandoned,
    )
