"""How endpoints are shown outside: as they are set up, and how they are doing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from milepost.contracts.contract import Contract, read_as
from milepost.delivery.health import Condition, Health, condition
from milepost.delivery.model import (
    BacklogPolicy,
    Endpoint,
    EndpointState,
    LanePolicy,
    Operational,
    Outcome,
)


class HealthView(msgspec.Struct, frozen=True, gc=False):
    """How an endpoint is doing, and `since` when, null while it is healthy.

    `failures` are the attempts in a row that have failed since anything was acknowledged. While
    all is well the times are up to ten seconds old.
    """

    condition: Condition
    since: datetime | None
    failures: int
    failing_since: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_outcome: Outcome | None


class EndpointView(msgspec.Struct, frozen=True, gc=False):
    """An endpoint without its secrets; of the credentials only the names that are set.

    `old_secrets_until` tells until when secrets that were replaced sign beside the current one.
    """

    endpoint_id: str
    contract: str
    url: str
    description: str
    state: EndpointState
    state_why: str
    state_at: datetime
    health: HealthView
    schedule: str
    stores: list[str] | None
    statuses: list[str] | None
    timeout_s: float
    concurrency: int
    requests_per_s: float | None
    lane_policy: LanePolicy
    backlog_policy: BacklogPolicy
    pause_after_h: float | None
    operational: Operational
    options: dict[str, Any]
    credentials_set: list[str]
    secrets_count: int
    old_secrets_until: list[datetime]
    created_at: datetime
    updated_at: datetime


def health_view(endpoint: Endpoint, *, health: Health) -> HealthView:
    doing = condition(endpoint.state, health=health)
    since = {
        Condition.HEALTHY: None,
        Condition.FAILING: health.failing_since,
        Condition.PAUSED: endpoint.state_at or endpoint.created_at,
    }
    return HealthView(
        condition=doing,
        since=since[doing],
        failures=health.failures,
        failing_since=health.failing_since,
        last_success_at=health.last_success_at,
        last_failure_at=health.last_failure_at,
        last_outcome=health.last_outcome,
    )


def endpoint_view(endpoint: Endpoint, *, room: Contract, health: Health) -> EndpointView:
    options = read_as(room.options, endpoint.options)
    return EndpointView(
        endpoint_id=endpoint.endpoint_id,
        contract=endpoint.contract,
        url=endpoint.url,
        description=endpoint.description,
        state=endpoint.state,
        state_why=endpoint.state_why,
        state_at=endpoint.state_at or endpoint.created_at,
        health=health_view(endpoint, health=health),
        schedule=endpoint.schedule,
        stores=None if endpoint.stores is None else list(endpoint.stores),
        statuses=None if endpoint.statuses is None else list(endpoint.statuses),
        timeout_s=endpoint.timeout_s,
        concurrency=endpoint.concurrency,
        requests_per_s=endpoint.requests_per_s,
        lane_policy=endpoint.lane_policy,
        backlog_policy=endpoint.backlog_policy,
        pause_after_h=endpoint.pause_after_h,
        operational=endpoint.operational,
        options=msgspec.to_builtins(options),
        credentials_set=sorted(msgspec.json.decode(endpoint.credentials, type=dict[str, Any])),
        secrets_count=len(endpoint.secrets) + len(endpoint.retiring),
        old_secrets_until=[old.until for old in endpoint.retiring],
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )
