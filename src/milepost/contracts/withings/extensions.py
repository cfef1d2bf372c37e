"""What only Withings can say of an order, of a line and of a parcel."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from milepost.contracts.contract import read_as
from milepost.orders.model import Line, Order, Parcel

NAME = "withings"

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class AddressTaken(StrEnum):
    """How an order's address was accepted: by its form alone, by a checker, or in spite of it."""

    FORM = "form"
    CHECKED = "checked"
    UNVERIFIED = "unverified"
    FORCED = "forced"


class NamedBy(StrEnum):
    """Which of its two names a product was ordered by."""

    EAN = "ean"
    PARTNER_REF = "partner_ref"


class OrderExtensions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What only Withings says of an order.

    `original_serial_number` is that of the product which the order replaces. The rest is what the
    order interface was told and found: whose request it was, which requests orders came together,
    the person of a user order, how the address was accepted, and the test mode of a fake order.
    """

    original_serial_number: Word | None = None
    client_id: Word | None = None
    dropshipment_order_id: Word | None = None
    external_id: Word | None = None
    address_check: AddressTaken | None = None
    testmode: Annotated[int, msgspec.Meta(ge=1, le=4)] | None = None


class LineExtensions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which of a product's two names the line's SKU is; by default an EAN if it has the form."""

    named_by: NamedBy | None = None


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A device in a parcel, by the SKU of its line and its published fields."""

    sku: Word
    serial_number: Word | None = None
    mac_address: Word | None = None
    hash_deviceid: Word | None = None
    model: Word | None = None
    model_id: int | None = None


class ParcelExtensions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What only Withings says of a parcel.

    `awaits_scan` says that its carrier was asked and has no event yet: `pending` is then told by
    itself. `devices` are those in it.
    """

    awaits_scan: bool = False
    devices: Annotated[tuple[Device, ...], msgspec.Meta(max_length=1_000)] = ()


_NOTHING_OF_A_PARCEL = ParcelExtensions()


def order_extensions(order: Order) -> OrderExtensions:
    raw = order.content.extensions.get(NAME)
    return OrderExtensions() if raw is None else read_as(OrderExtensions, bytes(raw))


def line_extensions(line: Line) -> LineExtensions:
    raw = line.extensions.get(NAME)
    return LineExtensions() if raw is None else read_as(LineExtensions, bytes(raw))


def parcel_extensions(parcel: Parcel) -> ParcelExtensions:
    details = parcel.details
    raw = None if details is None else details.extensions.get(NAME)
    return _NOTHING_OF_A_PARCEL if raw is None else read_as(ParcelExtensions, bytes(raw))
