"""Operational events in the neutral envelope: the endpoint, what happened to it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from milepost.delivery.health import Cause, Health, OperationalEvent, OperationalType
from milepost.delivery.model import Body, EndpointState, Outcome

WHAT_TO_DO: Mapping[OperationalType, str] = MappingProxyType(
    {
        OperationalType.FAILING: "Look at its attempts, and mend the receiver or the URL; "
        "deliveries are tried again by the schedule meanwhile.",
        OperationalType.RECOVERED: "Nothing; what was given up meanwhile can be sent again.",
        OperationalType.PAUSED: "Resume it when it can receive again: what comes until then is "
        "parked, and sent in order afterwards.",
        OperationalType.RESUMED: "Nothing; what was parked is on its way.",
        OperationalType.ABANDONED: "Send them again when it can receive again.",
    }
)
_ENCODER = msgspec.json.Encoder()


class EndpointShown(msgspec.Struct, frozen=True, gc=False):
    """The endpoint that it happened to, as it was set up then."""

    endpoint_id: str
    contract: str
    url: str
    description: str
    state: EndpointState


class OperationalShown(msgspec.Struct, frozen=True, gc=False):
    """What happened to the endpoint; `sequence` numbers the events of this `subject` from 1.

    `failures` are the attempts in a row that have failed, null where nobody counted; `abandoned`
    the deliveries that were given up and not told of before.
    """

    sequence: int
    subject: str
    endpoint: EndpointShown
    cause: Cause
    why: str
    since: datetime | None
    failures: int | None
    last_success_at: datetime | None
    last_outcome: Outcome | None
    abandoned: int
    what_to_do: str


class OperationalEnvelope(msgspec.Struct, frozen=True, gc=False):
    """The body of an operational event: type, timestamp, data."""

    type: OperationalType
    timestamp: datetime
    data: OperationalShown


_STATE_AFTER: Mapping[OperationalType, EndpointState] = MappingProxyType(
    {
        OperationalType.PAUSED: EndpointState.PAUSED,
        OperationalType.RESUMED: EndpointState.ACTIVE,
    }
)


def body(event: OperationalEvent, sequence: int) -> Body:
    """The envelope of the event with this number, every field always there and times in UTC."""
    return Body(_ENCODER.encode(envelope(event, sequence=sequence)))


def envelope(event: OperationalEvent, *, sequence: int) -> OperationalEnvelope:
    """The event with this number as it is sent."""
    endpoint, health = event.endpoint, event.health or Health()
    return OperationalEnvelope(
        type=event.type,
        timestamp=event.at.astimezone(UTC),
        data=OperationalShown(
            sequence=sequence,
            subject=event.subject,
            endpoint=EndpointShown(
                endpoint_id=endpoint.endpoint_id,
                contract=endpoint.contract,
                url=endpoint.url,
                description=endpoint.description,
                state=_STATE_AFTER.get(event.type, endpoint.state),
            ),
            cause=event.cause,
            why=event.why,
            since=_in_utc(event.since),
            failures=None if event.health is None else health.failures,
            last_success_at=_in_utc(health.last_success_at),
            last_outcome=health.last_outcome,
            abandoned=event.abandoned,
            what_to_do=WHAT_TO_DO[event.type],
        ),
    )


def _in_utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
