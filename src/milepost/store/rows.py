"""Structs as rows and back, the same for every database.

A row is a tuple in the order of the columns that the statements name. Times are microseconds since
the epoch; structures that nobody searches in are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from milepost.delivery.model import (
    Attempt,
    BacklogPolicy,
    Body,
    Claimed,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    LanePolicy,
    Operational,
    Outcome,
)
from milepost.orders.events import EventType, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import (
    Order,
    OrderContent,
    Parcel,
    ParcelDetails,
    Store,
    content_alone,
)
from milepost.ports import Account, ApiKey, Quarantined
from milepost.sealing import Vault
from milepost.store.compression import plain
from milepost.store.sealed import sealed_of, secrets_of

Row = tuple[Any, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WHENEVER = 2**63 - 1
"""Later than any time in the database."""

E = TypeVar("E", bound=StrEnum)


def _by_value(kind: type[E]) -> dict[str | None, E]:
    return {member.value: member for member in kind}


# A dictionary finds a member in a fifth of the time that calling its class takes.
STATES = _by_value(State)
REASONS = _by_value(Reason)
EVENT_TYPES = _by_value(EventType)
VERDICTS = _by_value(Verdict)
DELIVERY_STATES = _by_value(DeliveryState)
OUTCOMES = _by_value(Outcome)

_json = msgspec.json.Encoder()
_read_details = msgspec.json.Decoder(ParcelDetails)
_read_update = msgspec.json.Decoder(Update)
_read_texts = msgspec.json.Decoder(tuple[str, ...])
_read_states = msgspec.json.Decoder(tuple[State, ...])


def micros(at: datetime) -> int:
    """The time as microseconds since the epoch."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def moment(at: int) -> datetime:
    """The time that so many microseconds since the epoch are."""
    return EPOCH + timedelta(microseconds=at)


def moment_or_none(at: int | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(microseconds=at)


def _value(member: StrEnum | None) -> str | None:
    return None if member is None else member.value


def _texts(texts: tuple[str, ...] | None) -> str | None:
    return None if texts is None else _json.encode(texts).decode()


# orders


class _Kept(OrderContent, frozen=True, forbid_unknown_fields=False):
    """A content that was checked when it came, beside whatever else was told with it."""

    def __post_init__(self) -> None: ...


_read_kept = msgspec.json.Decoder(_Kept)


def content_bytes(content: OrderContent) -> bytes:
    """What was ordered, as JSON; it is compressed as it is written."""
    return _json.encode(content)


def content_row(order: Order, told: Mapping[str, bytes | msgspec.Raw]) -> Row:
    """The JSON that the content came as, if that is known."""
    raw = told.get(order.order_id)
    content = bytes(raw) if raw else content_bytes(order.content)
    return (order.account_id, order.order_id, content)


def content_of(kept: bytes) -> OrderContent:
    """What was ordered, from its compressed JSON."""
    return content_alone(_read_kept.decode(plain(kept)))


_ORDER_TYPE = re.compile(rb'"order_type":"(\w+)"')
USUAL_ORDER_TYPE = b"direct_to_consumer"


def order_type(content: OrderContent) -> str | None:
    """What kind of order ShipMonk calls it, to be found by; None for those of the usual kind."""
    raw = content.extensions.get("shipmonk")
    found = None if raw is None else _ORDER_TYPE.search(memoryview(raw))
    return None if found is None or found[1] == USUAL_ORDER_TYPE else found[1].decode()


def order_row(order: Order) -> Row:
    """Without its content and its parcels, which have tables of their own."""
    number = order.content.order_number
    return (
        order.account_id,
        order.order_id,
        order.store,
        order.order_key,
        None if number == order.order_key else number,
        order.state.value,
        micros(order.state_at),
        order.sequence,
        micros(order.created_at),
        micros(order.updated_at),
        _value(order.reason),
        _value(order.previous_state),
        order.source_sequence,
        int(order.updating),
        micros_or_none(order.shipped_at),
        order_type(order.content),
        order.told_by,
        order.precedence,
        " ".join(order.corrections) or None,
    )


def order_of(row: Row, *, parcels: tuple[Parcel, ...]) -> Order:
    """An order by its columns, its content among them."""
    return Order(
        account_id=row[0],
        order_id=row[1],
        store=row[2],
        order_key=row[3],
        state=STATES[row[4]],
        state_at=moment(row[5]),
        sequence=row[6],
        created_at=moment(row[7]),
        updated_at=moment(row[8]),
        reason=REASONS.get(row[9]),
        previous_state=STATES.get(row[10]),
        source_sequence=row[11],
        updating=bool(row[12]),
        shipped_at=moment_or_none(row[13]),
        content=content_of(row[14]),
        erased_at=moment_or_none(row[15]),
        told_by=row[16],
        precedence=row[17],
        corrections=tuple(row[18].split()) if row[18] else (),
        parcels=parcels,
    )


def parcel_row(order: Order, parcel: Parcel, *, position: int) -> Row:
    return (
        order.account_id,
        order.order_id,
        parcel.parcel,
        position,
        _value(parcel.state),
        micros_or_none(parcel.state_at),
        parcel.source_sequence,
        parcel.carrier,
        parcel.carrier_service,
        parcel.tracking_number,
        parcel.tracking_url,
        micros_or_none(parcel.created_at),
        None if parcel.details is None else _json.encode(parcel.details),
        parcel.told_by,
        parcel.precedence,
    )


def parcel_of(row: Row) -> Parcel:
    return Parcel(
        parcel=row[0],
        state=STATES.get(row[1]),
        state_at=moment_or_none(row[2]),
        source_sequence=row[3],
        carrier=row[4],
        carrier_service=row[5],
        tracking_number=row[6],
        tracking_url=row[7],
        created_at=moment_or_none(row[8]),
        details=None if row[9] is None else _read_details.decode(row[9]),
        told_by=row[10],
        precedence=row[11],
    )


def event_row(event: OrderEvent) -> Row:
    return (
        event.account_id,
        event.order_id,
        event.sequence,
        event.type.value,
        event.state.value,
        _value(event.previous_state),
        event.source,
        micros(event.occurred_at),
        micros(event.received_at),
        _value(event.reason),
        event.raw,
        event.parcel,
        _value(event.parcel_state),
        _texts(event.skipped) if event.skipped else None,
        int(event.correction),
        event.note,
    )


def event_of(row: Row) -> OrderEvent:
    return OrderEvent(
        account_id=row[0],
        order_id=row[1],
        sequence=row[2],
        type=EVENT_TYPES[row[3]],
        state=STATES[row[4]],
        previous_state=STATES.get(row[5]),
        source=row[6],
        occurred_at=moment(row[7]),
        received_at=moment(row[8]),
        reason=REASONS.get(row[9]),
        raw=row[10],
        parcel=row[11],
        parcel_state=STATES.get(row[12]),
        skipped=() if row[13] is None else _read_states.decode(row[13]),
        correction=bool(row[14]),
        note=row[15],
    )


def quarantined_row(kept: Quarantined) -> Row:
    return (
        kept.account_id,
        kept.update_id,
        kept.verdict.value,
        kept.why,
        kept.source,
        kept.store,
        kept.order_key,
        kept.order_id,
        micros_or_none(kept.occurred_at),
        micros(kept.received_at),
        _json.encode(kept.update),
        micros_or_none(kept.released_at),
    )


def quarantined_of(row: Row) -> Quarantined:
    return Quarantined(
        account_id=row[0],
        update_id=row[1],
        verdict=VERDICTS[row[2]],
        why=row[3],
        source=row[4],
        store=row[5],
        order_key=row[6],
        order_id=row[7],
        occurred_at=moment_or_none(row[8]),
        received_at=moment(row[9]),
        update=_read_update.decode(row[10]),
        released_at=moment_or_none(row[11]),
    )


# accounts and what they set up


def account_of(row: Row) -> Account:
    return Account(account_id=row[0], name=row[1], created_at=moment(row[2]), sandbox=bool(row[3]))


def key_of(row: Row) -> ApiKey:
    return ApiKey(
        account_id=row[0],
        key_id=row[1],
        name=row[2],
        created_at=moment(row[3]),
        revoked_at=moment_or_none(row[4]),
    )


def store_of(row: Row) -> Store:
    return Store(
        account_id=row[0], store=row[1], number=row[2], name=row[3], created_at=moment(row[4])
    )


def endpoint_values(endpoint: Endpoint, *, vault: Vault) -> dict[str, Any]:
    """The columns of an endpoint by their names; its secrets are sealed."""
    return {
        "account_id": endpoint.account_id,
        "endpoint_id": endpoint.endpoint_id,
        "contract": endpoint.contract,
        "url": endpoint.url,
        "schedule": endpoint.schedule,
        "created_at": micros(endpoint.created_at),
        "updated_at": micros(endpoint.updated_at),
        "description": endpoint.description,
        "state": endpoint.state.value,
        "state_why": endpoint.state_why,
        "stores": _texts(endpoint.stores),
        "statuses": _texts(endpoint.statuses),
        "timeout_s": endpoint.timeout_s,
        "concurrency": endpoint.concurrency,
        "lane_policy": endpoint.lane_policy.value,
        "options": endpoint.options,
        "sealed": sealed_of(endpoint, vault=vault),
        "state_at": micros_or_none(endpoint.state_at),
        "requests_per_s": endpoint.requests_per_s,
        "pause_after_h": endpoint.pause_after_h,
        "backlog_policy": endpoint.backlog_policy.value,
        "operational": endpoint.operational.value,
    }


def endpoint_of(row: Row, *, vault: Vault) -> Endpoint:
    """Raises SecretUnreadable."""
    sealed = secrets_of(row[16], account_id=row[0], endpoint_id=row[1], vault=vault)
    return Endpoint(
        account_id=row[0],
        endpoint_id=row[1],
        contract=row[2],
        url=row[3],
        schedule=row[4],
        created_at=moment(row[5]),
        updated_at=moment(row[6]),
        description=row[7],
        state=EndpointState(row[8]),
        state_why=row[9],
        stores=None if row[10] is None else _read_texts.decode(row[10]),
        statuses=None if row[11] is None else _read_texts.decode(row[11]),
        timeout_s=row[12],
        concurrency=row[13],
        lane_policy=LanePolicy(row[14]),
        options=row[15],
        credentials=bytes(sealed.credentials),
        secrets=sealed.secrets,
        retiring=sealed.retiring,
        state_at=moment_or_none(row[17]),
        requests_per_s=row[18],
        pause_after_h=row[19],
        backlog_policy=BacklogPolicy(row[20]),
        operational=Operational(row[21]),
    )


# deliveries


def delivery_of(row: Row) -> Delivery:
    return Delivery(
        account_id=row[0],
        order_id=row[1],
        endpoint_id=row[2],
        sequence=row[3],
        previous=row[4],
        status=row[5],
        state=DELIVERY_STATES[row[6]],
        created_at=moment(row[7]),
        attempts=row[8],
        tries=row[9],
        replay=row[10],
        due_at=moment_or_none(row[11]),
        settled_at=moment_or_none(row[12]),
        outcome=OUTCOMES.get(row[13]),
    )


def claimed_of(row: Row, *, endpoint: Endpoint) -> Claimed:
    """A lane's head by order, sequence, previous, attempts, tries, replay, body and its making."""
    return Claimed(
        endpoint=endpoint,
        order_id=row[0],
        sequence=row[1],
        previous=row[2],
        attempts=row[3],
        tries=row[4],
        replay=row[5],
        body=Body(content=plain(row[6]), content_type=row[7]),
        received_at=moment(row[8]) if len(row) > 8 else None,
    )


def attempt_row(claimed: Claimed, attempt: Attempt) -> Row:
    """Numbered after those that the claim had counted."""
    return (
        claimed.endpoint.account_id,
        claimed.order_id,
        claimed.endpoint.endpoint_id,
        claimed.sequence,
        claimed.attempts + 1,
        attempt.replay,
        micros(attempt.started_at),
        attempt.duration_ms,
        attempt.outcome.value,
        attempt.status,
        attempt.detail,
        attempt.response,
    )


def attempt_of(row: Row) -> Attempt:
    return Attempt(
        attempt=row[0],
        replay=row[1],
        started_at=moment(row[2]),
        duration_ms=row[3],
        outcome=OUTCOMES[row[4]],
        status=row[5],
        detail=row[6],
        response=row[7],
    )
