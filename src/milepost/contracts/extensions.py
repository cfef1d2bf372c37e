"""Checks what a source says in a contract's own words, before it is stored."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from milepost.contracts.contract import Contract, read_under
from milepost.errors import InvalidInput
from milepost.orders.model import OrderContent, ParcelDetails

LARGEST_EXTENSION = 64 * 1024
"""Bytes that one contract's extension of one order, line or parcel may have."""

Shapes = Mapping[str, type[msgspec.Struct]]


def check_extensions(content: OrderContent, rooms: Mapping[str, Contract]) -> None:
    """Refuses an extension that its contract does not know or could not send.

    Raises InvalidInput with the path of the field, as in `extensions.shipmonk.order_size`.
    """
    if content.extensions:
        _check("extensions", content.extensions, shapes=_order_shapes(rooms))
    for place, line in enumerate(content.lines):
        if line.extensions:
            path = f"lines[{place}].extensions"
            _check(path, line.extensions, shapes=_line_shapes(rooms))


def check_parcel_extensions(details: ParcelDetails, rooms: Mapping[str, Contract]) -> None:
    """The same for what an update says of a parcel.

    Raises InvalidInput with the path of the field, as in `extensions.shipmonk.pallet_number`.
    """
    if details.extensions:
        _check("extensions", details.extensions, shapes=_parcel_shapes(rooms))


def _order_shapes(rooms: Mapping[str, Contract]) -> Shapes:
    return {n: r.order_extensions for n, r in rooms.items() if r.order_extensions}


def _line_shapes(rooms: Mapping[str, Contract]) -> Shapes:
    return {n: r.line_extensions for n, r in rooms.items() if r.line_extensions}


def _parcel_shapes(rooms: Mapping[str, Contract]) -> Shapes:
    return {n: r.parcel_extensions for n, r in rooms.items() if r.parcel_extensions}


def _check(path: str, extensions: Mapping[str, msgspec.Raw], *, shapes: Shapes) -> None:
    for name, raw in extensions.items():
        if name not in shapes:
            known = ", ".join(shapes) or "nothing"
            raise InvalidInput(field=f"{path}.{name[:100]}", expected=f"only {known}")
        here = f"{path}.{name}"
        if len(memoryview(raw)) > LARGEST_EXTENSION:
            raise InvalidInput(field=here, expected=f"at most {LARGEST_EXTENSION} bytes")
        read_under(here, shape=shapes[name], raw=bytes(raw))
