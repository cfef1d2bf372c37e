"""Milepost's own contract, called `standard`: one envelope for every event of an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from milepost_receiver.body import Json, read_json
from milepost_receiver.fields import Fields
from milepost_receiver.notification import DeliveryFacts, Notification

TYPES = frozenset({"order.created", "order.state_changed", "order.updated", "endpoint.test"})

STATES = frozenset(
    {
        "created",
        "verifying",
        "verified",
        "scheduled",
        "address_error",
        "submit_failed",
        "submitted",
        "picking",
        "packing",
        "packed",
        "ready_to_ship",
        "on_hold",
        "backordered",
        "cancel_requested",
        "cancelled",
        "shipped",
        "info_received",
        "in_transit",
        "out_for_delivery",
        "attempt_failed",
        "available_for_pickup",
        "delayed",
        "exception",
        "delivered",
        "undeliverable",
        "returning",
        "returned",
        "expired",
        "untracked",
        "fulfilled_elsewhere",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardParcel:
    """One parcel of an order as it stood after the event; `parcel` is its name in the order."""

    parcel: str
    state: str | None
    carrier: str | None
    carrier_service: str | None
    tracking_number: str | None
    tracking_url: str | None
    state_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardOrder:
    """An order as it stood after the event.

    `reason` says more about some states. `attention` asks for a person. `replacement_for` is the
    order that this one replaces.
    """

    order_id: str
    store: str | None
    order_key: str | None
    order_number: str | None
    state: str
    reason: str | None
    previous_state: str | None
    attention: bool
    replacement_for: str | None
    parcels: tuple[StandardParcel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardNotification(Notification):
    """One event of an order, in Milepost's own contract.

    `occurred_at` is the source's time of the event and `received_at` Milepost's; `source` told it,
    in its own word `raw`. `skipped` are the states that were passed over, `parcel` the one parcel
    that it is about. `words` shows the order in each provider's words. Times are UTC.
    """

    type: str
    timestamp: datetime
    occurred_at: datetime
    received_at: datetime
    source: str | None
    raw: str | None
    correction: bool
    note: str | None
    skipped: tuple[str, ...]
    parcel: str | None
    order: StandardOrder
    words: Mapping[str, Json] = field(hash=False)


def parse_standard(
    headers: Mapping[str, str],  # noqa: ARG001
    *,
    facts: DeliveryFacts,
) -> StandardNotification:
    """The envelope in the body. Raises BodyMalformed, also where headers and body disagree."""
    envelope = Fields(read_json(facts["received"]))
    data = envelope.record("data")
    order = _order(data.record("order"))
    sequence = data.whole("sequence")
    # The body is signed and those headers are not, so the body is what counts.
    if facts["sequence"] not in {None, sequence}:
        raise data.refusal("sequence", expected="what milepost-sequence says")
    if facts["order_id"] not in {None, order.order_id}:
        raise data.refusal("order.order_id", expected="what milepost-order says")
    facts = {**facts, "sequence": sequence, "order_id": order.order_id}
    kind = envelope.text("type")
    return StandardNotification(
        **facts,
        known=_all_known(kind, order=order),
        type=kind,
        timestamp=envelope.moment("timestamp"),
        occurred_at=data.moment("occurred_at"),
        received_at=data.moment("received_at"),
        source=data.text_or_none("source"),
        raw=data.text_or_none("raw"),
        correction=data.flag("correction"),
        note=data.text_or_none("note"),
        skipped=data.texts("skipped"),
        parcel=data.text_or_none("parcel"),
        order=order,
        words=data.object_or_empty("words"),
    )


def _all_known(kind: str, *, order: StandardOrder) -> bool:
    states = (order.state, *(parcel.state for parcel in order.parcels if parcel.state))
    return kind in TYPES and STATES.issuperset(states)


def _order(order: Fields) -> StandardOrder:
    return StandardOrder(
        order_id=order.text("order_id"),
        store=order.text_or_none("store"),
        order_key=order.text_or_none("order_key"),
        order_number=order.text_or_none("order_number"),
        state=order.text("state"),
        reason=order.text_or_none("reason"),
        previous_state=order.text_or_none("previous_state"),
        attention=order.flag("attention"),
        replacement_for=order.text_or_none("replacement_for"),
        parcels=tuple(_parcel(parcel) for parcel in order.records("parcels")),
    )


def _parcel(parcel: Fields) -> StandardParcel:
    return StandardParcel(
        parcel=parcel.text("parcel"),
        state=parcel.text_or_none("state"),
        carrier=parcel.text_or_none("carrier"),
        carrier_service=parcel.text_or_none("carrier_service"),
        tracking_number=parcel.text_or_none("tracking_number"),
        tracking_url=parcel.text_or_none("tracking_url"),
        state_at=parcel.moment_or_none("state_at"),
    )
