"""How records are shown outside: without the account, which the reader knows, or any secret."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from milepost.contracts.contract import Contract
from milepost.delivery.model import (
    Attempt,
    Delivery,
    DeliveryState,
    Outcome,
)
from milepost.orders.events import EventType, OrderEvent, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, OrderContent, Parcel, ParcelDetails, Store
from milepost.ports import Quarantined
from milepost.ports.answers import Queued
from milepost.ports.upkeep import ErasedBody


class View(msgspec.Struct, frozen=True, gc=False):
    """The base of what is shown outside."""


class ParcelView(View, frozen=True):
    """One parcel; its state is null until a carrier has it."""

    parcel: str
    state: State | None
    state_at: datetime | None
    carrier: str | None
    carrier_service: str | None
    tracking_number: str | None
    tracking_url: str | None
    created_at: datetime | None
    details: ParcelDetails | None


class OrderSummary(View, frozen=True):
    """An order in a list: which one it is and where it is in its life."""

    order_id: str
    store: str
    order_key: str
    order_number: str
    state: State
    reason: Reason | None
    state_at: datetime
    previous_state: State | None
    attention: bool
    updating: bool
    sequence: int
    created_at: datetime
    updated_at: datetime
    shipped_at: datetime | None


class OrderView(OrderSummary, frozen=True):
    """An order with its parcels, what was ordered, and what each contract shows of it.

    `erased_at` is when its personal data was erased: since then it takes nothing more.
    """

    erased_at: datetime | None
    parcels: list[ParcelView]
    words: dict[str, dict[str, str | None]]
    content: OrderContent


class EventView(View, frozen=True):
    """One thing that happened to an order: `occurred_at` its source's time, `received_at` ours."""

    sequence: int
    type: EventType
    state: State
    previous_state: State | None
    reason: Reason | None
    parcel: str | None
    parcel_state: State | None
    source: str
    raw: str | None
    occurred_at: datetime
    received_at: datetime
    skipped: list[State]
    correction: bool
    note: str | None


class StoreView(View, frozen=True):
    """A sales channel; `number` is its name for contracts that need a number."""

    store: str
    number: int
    name: str
    created_at: datetime


class DeliveryView(View, frozen=True):
    """One event for one endpoint: where it stands and how often it was tried."""

    delivery_id: str
    endpoint_id: str
    order_id: str
    sequence: int
    previous: int
    status: str
    state: DeliveryState
    attempts: int
    replay: int
    created_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    outcome: Outcome | None


class AttemptView(View, frozen=True):
    """One HTTP request and what came back; `status` is 0 when no reply came."""

    attempt: int
    replay: int
    started_at: datetime
    duration_ms: float
    outcome: Outcome
    status: int
    detail: str
    response: str


class ErasedBodyView(View, frozen=True):
    """What is left of a body whose order's personal data was erased: which bytes they were."""

    sha256: str
    size: int
    content_type: str


class DeliveryDetail(DeliveryView, frozen=True):
    """A delivery with its bytes (`body_encoding` is utf-8, or base64 for others) and attempts.

    The body is empty when it was `erased`.
    """

    body: str
    body_encoding: str
    erased: ErasedBodyView | None
    attempts_made: list[AttemptView]


class QueuedView(DeliveryView, frozen=True):
    """A delivery with the bytes that it carries (`body_encoding` is utf-8, or base64 for others).

    All three are null when the order's personal data was erased.
    """

    content_type: str | None
    body: str | None
    body_encoding: str | None


class QuarantineView(View, frozen=True):
    """An update that was kept and not applied, with what it said."""

    update_id: str
    verdict: Verdict
    why: str
    source: str
    store: str | None
    order_key: str | None
    order_id: str | None
    occurred_at: datetime | None
    received_at: datetime
    released_at: datetime | None
    update: dict[str, Any]


class ScheduleView(View, frozen=True):
    """When deliveries are tried again: the waits after each attempt, and who published them.

    Each wait may be longer by chance, by up to so many seconds of `spreads_s`.
    """

    name: str
    title: str
    source: str
    attempts: int
    waits_s: list[int]
    spreads_s: list[float]


class ContractView(View, frozen=True):
    """A contract: its statuses, which of them are notified, its schedules and what it takes.

    With `latest_suffices` an endpoint may choose to get the latest of a backlog alone.
    """

    name: str
    title: str
    statuses: list[str]
    sends: list[str]
    schedules: list[ScheduleView]
    timeout_s: float
    latest_suffices: bool
    tells_operational_events: bool
    options: dict[str, Any]
    credentials: dict[str, Any]
    order_extensions: dict[str, Any] | None
    line_extensions: dict[str, Any] | None
    parcel_extensions: dict[str, Any] | None


def parcel_view(parcel: Parcel) -> ParcelView:
    return ParcelView(
        parcel=parcel.parcel,
        state=parcel.state,
        state_at=parcel.state_at,
        carrier=parcel.carrier,
        carrier_service=parcel.carrier_service,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
        created_at=parcel.created_at,
        details=parcel.details,
    )


def _summary(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "store": order.store,
        "order_key": order.order_key,
        "order_number": order.number,
        "state": order.state,
        "reason": order.reason,
        "state_at": order.state_at,
        "previous_state": order.previous_state,
        "attention": order.attention,
        "updating": order.updating,
        "sequence": order.sequence,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "shipped_at": order.shipped_at,
    }


def order_summary(order: Order) -> OrderSummary:
    return OrderSummary(**_summary(order))


def order_view(order: Order, *, rooms: Mapping[str, Contract]) -> OrderView:
    return OrderView(
        **_summary(order),
        erased_at=order.erased_at,
        parcels=[parcel_view(p) for p in order.parcels],
        words={room.name: dict(room.words(order)) for room in rooms.values()},
        content=order.content,
    )


def event_view(event: OrderEvent) -> EventView:
    return EventView(
        sequence=event.sequence,
        type=event.type,
        state=event.state,
        previous_state=event.previous_state,
        reason=event.reason,
        parcel=event.parcel,
        parcel_state=event.parcel_state,
        source=event.source,
        raw=event.raw,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        skipped=list(event.skipped),
        correction=event.correction,
        note=event.note,
    )


def store_view(store: Store) -> StoreView:
    return StoreView(store.store, store.number, store.name, store.created_at)


def _standing(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "endpoint_id": delivery.endpoint_id,
        "order_id": delivery.order_id,
        "sequence": delivery.sequence,
        "previous": delivery.previous,
        "status": delivery.status,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "replay": delivery.replay,
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "settled_at": delivery.settled_at,
        "outcome": delivery.outcome,
    }


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(**_standing(delivery))


def delivery_detail(
    delivery: Delivery, *, body: bytes, erased: ErasedBody | None, attempts: list[AttemptView]
) -> DeliveryDetail:
    text, encoding = _as_text(body)
    left = None
    if erased is not None:
        left = ErasedBodyView(erased.sha256.hex(), erased.size, erased.content_type)
    return DeliveryDetail(
        **_standing(delivery),
        body=text,
        body_encoding=encoding,
        erased=left,
        attempts_made=attempts,
    )


def queued_view(queued: Queued) -> QueuedView:
    standing, body = _standing(queued.delivery), queued.body
    if body is None:
        return QueuedView(**standing, content_type=None, body=None, body_encoding=None)
    text, encoding = _as_text(body.content)
    return QueuedView(**standing, content_type=body.content_type, body=text, body_encoding=encoding)


def _as_text(body: bytes) -> tuple[str, str]:
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        attempt=attempt.attempt,
        replay=attempt.replay,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        outcome=attempt.outcome,
        status=attempt.status,
        detail=attempt.detail,
        response=attempt.response.decode(errors="replace"),
    )


def quarantine_view(kept: Quarantined) -> QuarantineView:
    said = msgspec.structs.asdict(kept.update)
    told = {name: value for name, value in said.items() if value is not None and value is not False}
    return QuarantineView(
        update_id=kept.update_id,
        verdict=kept.verdict,
        why=kept.why,
        source=kept.source,
        store=kept.store,
        order_key=kept.order_key,
        order_id=kept.order_id,
        occurred_at=kept.occurred_at,
        received_at=kept.received_at,
        released_at=kept.released_at,
        update=told,
    )


def contract_view(room: Contract) -> ContractView:
    return ContractView(
        name=room.name,
        title=room.title,
        statuses=list(room.statuses),
        sends=[status for status in room.statuses if status in room.sends],
        schedules=[
            ScheduleView(s.name, s.title, s.source, s.attempts, list(s.waits_s), s.spreads())
            for s in room.schedules
        ],
        timeout_s=room.timeout_s,
        latest_suffices=room.latest_suffices,
        tells_operational_events=room.operational is not None,
        options=_schema(room.options),
        credentials=_schema(room.credentials),
        order_extensions=_schema_if_any(room.order_extensions),
        line_extensions=_schema_if_any(room.line_extensions),
        parcel_extensions=_schema_if_any(room.parcel_extensions),
    )


def _schema(shape: type[msgspec.Struct]) -> dict[str, Any]:
    return msgspec.json.schema(shape)


def _schema_if_any(shape: type[msgspec.Struct] | None) -> dict[str, Any] | None:
    return None if shape is None else _schema(shape)
