"""What a ShipMonk package says of a parcel, as far as it can be kept without a loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from milepost.contracts.shipmonk.extensions import ParcelExtensions
from milepost.contracts.shipmonk.payloads import NAME
from milepost.orders.model import Lot, PackedItem, ParcelDetails, Weight

T = TypeVar("T")

LARGEST_NUMBER = 1_000_000_000
MOST_ITEMS = 1_000


class _Packed(msgspec.Struct, frozen=True):
    """A product of a package, with its lots."""

    sku: str
    lots: tuple[Lot, ...] = ()


def details_of(number: int | None, package: object) -> ParcelDetails | None:
    """The package's number, weight, contents and what only ShipMonk knows of it.

    What does not fit is left out; None where nothing is told.
    """
    said: Mapping[str, Any] = package if isinstance(package, dict) else {}
    told = ParcelDetails(
        number=number if number is not None and 0 <= number <= LARGEST_NUMBER else None,
        weight=_as(Weight, said.get("weight_lb")),
        items=_items(said),
        extensions=_extensions(said),
    )
    return told if told != ParcelDetails() else None


def _items(said: Mapping[str, Any]) -> tuple[PackedItem, ...]:
    """The lines of a package; a product's lots belong to its only line, else to none."""
    if not said.get("packed_items"):
        return ()
    items = _as(tuple[PackedItem, ...], said["packed_items"]) or ()
    packed = _as(tuple[_Packed, ...], said.get("packed_products")) or ()
    lots = {product.sku: product.lots for product in packed if product.lots}
    lines = Counter(item.sku for item in items)
    return tuple(
        msgspec.structs.replace(item, lots=lots[item.sku])
        if lines[item.sku] == 1 and item.sku in lots
        else item
        for item in items[:MOST_ITEMS]
    )


def _extensions(said: Mapping[str, Any]) -> dict[str, msgspec.Raw]:
    known = {
        name: value
        for name in ParcelExtensions.__struct_fields__
        if (value := said.get(name)) is not None and value != ()
    }
    read = _as(ParcelExtensions, known) if known else None
    return {NAME: msgspec.Raw(msgspec.json.encode(known))} if read is not None else {}


def _as(shape: type[T], value: object) -> T | None:
    if value is None:
        return None
    try:
        return msgspec.convert(value, shape)
    except (msgspec.ValidationError, ValueError):
        return None
