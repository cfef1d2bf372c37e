"""What a reply means (an outcome) and what is done next (a step); closed sets, matched whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

import msgspec

from milepost.delivery.model import Failure, Outcome, Reply
from milepost.delivery.retry import Schedule, retry_at


class Acknowledge(msgspec.Struct, frozen=True, gc=False):
    """The receiver has it."""


class Retry(msgspec.Struct, frozen=True, gc=False):
    """It is tried again, not before `at`."""

    at: datetime


class Abandon(msgspec.Struct, frozen=True, gc=False):
    """The schedule is at its end; an operator can send it again."""


class Pause(msgspec.Struct, frozen=True, gc=False):
    """The receiver asked for no more: the endpoint is paused and what is pending stays parked."""

    why: str


ACKNOWLEDGE = Acknowledge()
Step = Acknowledge | Retry | Abandon | Pause

_BY_FAILURE: Mapping[Failure, Outcome] = MappingProxyType(
    {
        Failure.DNS: Outcome.DNS,
        Failure.REFUSED: Outcome.CONNECTION_REFUSED,
        Failure.TLS: Outcome.TLS,
        Failure.TIMEOUT: Outcome.TIMEOUT,
        Failure.BLOCKED: Outcome.BLOCKED,
        Failure.TRUNCATED: Outcome.TRUNCATED,
        Failure.OVERSIZED: Outcome.OVERSIZED,
        Failure.PROTOCOL: Outcome.PROTOCOL,
        Failure.RESET: Outcome.RESET,
    }
)


def outcome_of(reply: Reply, *, received: Callable[[int], bool]) -> Outcome:
    """The outcome of an attempt; `received` is the contract's rule for the status.

    A reply whose body was too large still has a status, and the status decides.
    """
    status = reply.status
    if reply.failure is not None and not (reply.failure is Failure.OVERSIZED and status):
        return _BY_FAILURE[reply.failure]
    if received(status):
        return Outcome.ACKNOWLEDGED
    if status == 410:
        return Outcome.GONE
    if status == 429:
        return Outcome.THROTTLED
    if status >= 500:
        return Outcome.SERVER_ERROR
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    return Outcome.REFUSED


def next_step(
    outcome: Outcome,
    *,
    schedule: Schedule,
    tries: int,
    now: datetime,
    chance: float,
    retry_after: str | None = None,
) -> Step:
    """What is done after attempt number `tries` of the schedule came to this outcome."""
    match outcome:
        case Outcome.ACKNOWLEDGED:
            return ACKNOWLEDGE
        case Outcome.GONE:
            return Pause("the receiver answered 410 Gone")
        case (
            Outcome.REDIRECTED
            | Outcome.REFUSED
            | Outcome.THROTTLED
            | Outcome.SERVER_ERROR
            | Outcome.DNS
            | Outcome.CONNECTION_REFUSED
            | Outcome.TLS
            | Outcome.TIMEOUT
            | Outcome.BLOCKED
            | Outcome.TRUNCATED
            | Outcome.OVERSIZED
            | Outcome.PROTOCOL
            | Outcome.RESET
        ):
            at = retry_at(schedule, tries=tries, now=now, chance=chance, retry_after=retry_after)
            return Abandon() if at is None else Retry(at)
        case _:
            assert_never(outcome)
