"""The neutral envelope: the event, the order after it, and how the providers would call it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from milepost.contracts.contract import Notice, Reading, Words
from milepost.delivery.model import Body
from milepost.errors import InvalidInput
from milepost.orders.events import EventType
from milepost.orders.lifecycle import REASONS, Reason, State
from milepost.orders.model import Order

NAME = "standard"
STATUSES = tuple(state.value for state in State)
SENDS = frozenset(STATUSES)
_STATES: Mapping[str, State] = MappingProxyType({state.value: state for state in State})
_REASONS: Mapping[str, Reason] = MappingProxyType({reason.value: reason for reason in Reason})
_ENCODER = msgspec.json.Encoder()


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class ParcelShown(msgspec.Struct, frozen=True, gc=False):
    """One parcel as it stands after the event."""

    parcel: str
    state: State | None
    carrier: str | None
    carrier_service: str | None
    tracking_number: str | None
    tracking_url: str | None
    state_at: datetime | None


class OrderShown(msgspec.Struct, frozen=True, gc=False):
    """The order as it stands after the event."""

    order_id: str
    store: str
    order_key: str
    order_number: str
    state: State
    reason: Reason | None
    previous_state: State | None
    attention: bool
    replacement_for: str | None
    parcels: tuple[ParcelShown, ...]


class EventShown(msgspec.Struct, frozen=True, gc=False):
    """What happened, who said so, and what came of it."""

    sequence: int
    occurred_at: datetime
    received_at: datetime
    source: str
    raw: str | None
    correction: bool
    note: str | None
    skipped: tuple[State, ...]
    parcel: str | None
    order: OrderShown
    words: Mapping[str, Words]


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """The body, in the shape that Standard Webhooks recommends: type, timestamp, data."""

    type: EventType
    timestamp: datetime
    data: EventShown


def shown(order: Order) -> tuple[object, ...]:
    """All that the envelope shows of an order, but for when and by whom it was said."""
    return (
        order.state,
        order.reason,
        order.number,
        order.content.replacement_for,
        tuple(
            [
                (
                    p.parcel,
                    p.state,
                    p.carrier,
                    p.carrier_service,
                    p.tracking_number,
                    p.tracking_url,
                )
                for p in order.parcels
            ]
        ),
    )


def words(order: Order) -> Words:
    return {"state": order.state.value, "reason": order.reason and order.reason.value}


def status_of(order: Order) -> str:
    """The word that a subscription names: the state."""
    return order.state.value


def reads(said: Words) -> Reading:
    """A state by its name, with the reason that it may have."""
    state = _STATES.get(said.get("state") or "")
    if state is None:
        raise InvalidInput(field="state", expected=f"one of {', '.join(STATUSES)}")
    reason = said.get("reason")
    if reason is None:
        return Reading(state)
    allowed = REASONS.get(state, frozenset())
    if reason not in _REASONS or _REASONS[reason] not in allowed:
        names = ", ".join(sorted(allowed)) or "no reason in this state"
        raise InvalidInput(field="reason", expected=f"one of {names}" if allowed else names)
    return Reading(state, _REASONS[reason])


def body(notice: Notice, _options: Options) -> Body:
    """The envelope, with every field always there and times in UTC."""
    return Body(_ENCODER.encode(envelope(notice)))


def envelope(notice: Notice) -> Envelope:
    event = notice.event
    occurred_at = event.occurred_at.astimezone(UTC)
    return Envelope(
        type=event.type,
        timestamp=occurred_at,
        data=EventShown(
            sequence=event.sequence,
            occurred_at=occurred_at,
            received_at=event.received_at.astimezone(UTC),
            source=event.source,
            raw=event.raw,
            correction=event.correction,
            note=event.note,
            skipped=event.skipped,
            parcel=event.parcel,
            order=_order(notice.order, previous_state=event.previous_state),
            words=notice.others,
        ),
    )


def _order(order: Order, *, previous_state: State | None) -> OrderShown:
    return OrderShown(
        order_id=order.order_id,
        store=order.store,
        order_key=order.order_key,
        order_number=order.number,
        state=order.state,
        reason=order.reason,
        previous_state=previous_state,
        attention=order.attention,
        replacement_for=order.content.replacement_for,
        parcels=tuple(
            [
                ParcelShown(
                    parcel=p.parcel,
                    state=p.state,
                    carrier=p.carrier,
                    carrier_service=p.carrier_service,
                    tracking_number=p.tracking_number,
                    tracking_url=p.tracking_url,
                    state_at=p.state_at and p.state_at.astimezone(UTC),
                )
                for p in order.parcels
            ]
        ),
    )
