"""What goes out over the order interface: an order in the published fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milepost.contracts.withings.extensions import (
    Device,
    NamedBy,
    line_extensions,
    parcel_extensions,
)
from milepost.contracts.withings.payloads import SHIPPED, public_order_id, shown
from milepost.contracts.withings.requests import is_ean
from milepost.orders.model import FAKE_ORDER, REAL_ORDER, Line, Order

_DEVICE_FIELDS = ("serial_number", "mac_address", "hash_deviceid", "model", "model_id")
_LISTS = (
    ("mac_addresses", "mac_address"),
    ("serial_numbers", "serial_number"),
    ("hash_deviceids", "hash_deviceid"),
)


def order_ids_of(public: str) -> tuple[str, str]:
    """Our ids of what `order_id` names in the interface: a real order's, and a fake one's."""
    unique = public.removeprefix("D").lower()
    return REAL_ORDER + unique, FAKE_ORDER + unique


def created_order(order: Order) -> dict[str, Any]:
    """An order as the answer to its creation has it."""
    return {
        "order_id": public_order_id(order.order_id),
        "customer_ref_id": order.order_key,
        "status": shown(order)[0],
        "products": [_product(line) for line in order.content.lines],
    }


def order_detail(order: Order) -> dict[str, Any]:
    """An order with all that is known of it; what is not known, or not due yet, is absent."""
    status, parcel_status = shown(order)
    shipped = status == SHIPPED
    detail = created_order(order)
    if shipped:
        devices = [d for p in order.parcels for d in parcel_extensions(p).devices]
        detail["products"] = [_shipped(line, devices) for line in order.content.lines]
        parcel = order.lead_parcel
        facts = {
            "carrier": parcel and parcel.carrier,
            "carrier_service": parcel and parcel.carrier_service,
            "tracking_number": parcel and parcel.tracking_number,
            "parcel_status": parcel_status,
            "ship_date": order.shipped_at and order.shipped_at.date().isoformat(),
        }
        detail |= {name: value for name, value in facts.items() if value}
    original = order.content.replacement_for
    detail["is_replacement"] = original is not None
    if original is not None:
        detail["original_customer_ref"] = original
    return detail


def _product(line: Line) -> dict[str, Any]:
    named_by = line_extensions(line).named_by
    if named_by is None:
        named_by = NamedBy.EAN if is_ean(line.sku) else NamedBy.PARTNER_REF
    return {named_by.value: line.sku, "quantity": line.quantity}


def _shipped(line: Line, devices: Sequence[Device]) -> dict[str, Any]:
    mine = [device for device in devices if device.sku == line.sku]
    lists = {
        name: [value for device in mine if (value := getattr(device, field)) is not None]
        for name, field in _LISTS
    }
    told = [
        {f: value for f in _DEVICE_FIELDS if (value := getattr(device, f)) is not None}
        for device in mine
    ]
    return {**_product(line), **lists, "devices": told}
