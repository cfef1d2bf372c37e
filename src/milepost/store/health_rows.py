"""Endpoints' records as rows and back, the same for every database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from milepost.delivery.health import Condition, Health, OperationalNotice, condition
from milepost.delivery.model import Endpoint, EndpointState, NewDelivery, Operational
from milepost.delivery.silence import SilenceNotice
from milepost.store.rows import OUTCOMES, Row, micros_or_none, moment_or_none


def health_of(row: Sequence[Any]) -> Health:
    """A record by the columns of one."""
    return Health(
        failures=row[0],
        failing_since=moment_or_none(row[1]),
        last_success_at=moment_or_none(row[2]),
        last_failure_at=moment_or_none(row[3]),
        last_outcome=OUTCOMES.get(row[4]),
        failing=bool(row[5]),
        abandoned=row[6],
        abandoned_since=moment_or_none(row[7]),
        abandoned_told_at=moment_or_none(row[8]),
    )


def health_row(endpoint: Endpoint, health: Health) -> Row:
    return (
        endpoint.account_id,
        endpoint.endpoint_id,
        health.failures,
        micros_or_none(health.failing_since),
        micros_or_none(health.last_success_at),
        micros_or_none(health.last_failure_at),
        None if health.last_outcome is None else health.last_outcome.value,
        int(health.failing),
        health.abandoned,
        micros_or_none(health.abandoned_since),
        micros_or_none(health.abandoned_told_at),
    )


def conditions_of(rows: Iterable[Row]) -> dict[Condition, int]:
    """How many endpoints are doing how, by rows of state, whether it fails, and their number."""
    counts = dict.fromkeys(Condition, 0)
    for state, failing, number in rows:
        counts[condition(EndpointState(state), health=Health(failing=bool(failing)))] += number
    return counts


def told_of(notice: OperationalNotice, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Those of the account's endpoints that hear of it; nobody is told of himself."""
    return [
        endpoint
        for endpoint in endpoints
        if endpoint.operational is not Operational.NONE
        and endpoint.endpoint_id != notice.event.endpoint.endpoint_id
    ]


def notices_to(
    listeners: Iterable[Endpoint], *, notice: OperationalNotice | SilenceNotice, number: int
) -> list[NewDelivery]:
    """The deliveries of a notice to whoever hears of it, all in the lane of its subject."""
    bodies = notice.bodies(number)
    return [
        NewDelivery(
            endpoint=endpoint,
            order_id=notice.event.subject,
            sequence=number,
            status=notice.event.type.value,
            body=bodies[endpoint.contract],
        )
        for endpoint in listeners
        if endpoint.contract in bodies
    ]
