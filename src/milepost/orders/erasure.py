"""What of an order is about a person, and what is left when that is erased.

What is named here stays; everything else goes, a field that is new one day too.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from milepost.orders.events import EventType, OrderEvent, Update
from milepost.orders.model import Address, Order, OrderContent, Parcel, ParcelDetails

T = TypeVar("T", bound=msgspec.Struct)

KEPT_OF_CONTENT = (
    "order_number",
    "ordered_at",
    "currency",
    "lines",
    "requested_shipping_service",
    "shipping_paid",
    "tax_paid",
    "replacement_for",
)
KEPT_OF_LINE = (
    "sku",
    "quantity",
    "line_key",
    "name",
    "price",
    "image_url",
    "fulfilled_quantity",
    "components",
)
KEPT_OF_ADDRESS = ("country_code",)
KEPT_OF_PARCEL = (
    "state",
    "state_at",
    "source_sequence",
    "carrier",
    "carrier_service",
    "created_at",
    "told_by",
    "precedence",
)
KEPT_OF_DETAILS = ("number", "weight", "items")
KEPT_OF_UPDATE = (
    "source",
    "state",
    "reason",
    "occurred_at",
    "source_sequence",
    "carrier",
    "carrier_service",
    "updating",
    "correction",
    "trusted",
    "precedence",
    "covers",
    "current",
    "past",
    "whole",
)


def _left_of(whole: T, kept: tuple[str, ...], **given: object) -> T:
    return type(whole)(**{name: getattr(whole, name) for name in kept} | given)


def erased(order: Order, *, at: datetime) -> Order:
    """The order one event later, without a person: what was ordered and how it went."""
    return msgspec.structs.replace(
        order,
        content=_content(order.content),
        parcels=tuple(_parcel(p, number) for number, p in enumerate(order.parcels, start=1)),
        sequence=order.sequence + 1,
        updated_at=at,
        updating=False,
        corrections=(),
        erased_at=at,
    )


def erasing(order: Order, *, source: str, note: str | None, at: datetime) -> OrderEvent:
    """The event that tells of it; `order` is the one after it."""
    return OrderEvent(
        account_id=order.account_id,
        order_id=order.order_id,
        sequence=order.sequence,
        type=EventType.ERASED,
        state=order.state,
        previous_state=order.state,
        source=source,
        occurred_at=at,
        received_at=at,
        reason=order.reason,
        note=note,
    )


def erased_update(update: Update) -> Update:
    """What is left of an update that was kept and not applied."""
    return _left_of(update, KEPT_OF_UPDATE)


def _content(content: OrderContent) -> OrderContent:
    return _left_of(
        content,
        KEPT_OF_CONTENT,
        lines=tuple(_left_of(line, KEPT_OF_LINE) for line in content.lines),
        ship_to=_address(content.ship_to),
        ship_from=_address(content.ship_from),
    )


def _address(address: Address | None) -> Address | None:
    return None if address is None else _left_of(address, KEPT_OF_ADDRESS)


def _parcel(parcel: Parcel, number: int) -> Parcel:
    """Sources name parcels as they like, by their tracking numbers for one."""
    return _left_of(
        parcel,
        KEPT_OF_PARCEL,
        parcel=str(number),
        details=_details(parcel.details),
    )


def _details(details: ParcelDetails | None) -> ParcelDetails | None:
    return None if details is None else _left_of(details, KEPT_OF_DETAILS)
