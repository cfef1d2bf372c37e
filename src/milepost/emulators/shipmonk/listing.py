"""The parameters of reading orders and warehouses, by their published names."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec

from milepost.contracts.contract import read_under
from milepost.contracts.shipmonk.closed_sets import OrderType
from milepost.contracts.shipmonk.inputs import Key, StoreNumber, read_moment
from milepost.contracts.shipmonk.statuses import CANCELLED, FULFILLED, ON_HOLD, SHOWN, UNFULFILLED
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from milepost.orders.model import Address
from milepost.ports.merchants import OrderListing, WarehouseRecord

T = TypeVar("T", bound=msgspec.Struct)

MOST_PARAMETERS = 2_100
MOST_NAMED = 1_000
"""Keys and numbers that one request may name; ours."""

_LISTED = re.compile(r"(?P<name>\w+)\[\d*\]")
_WHOLE = frozenset(("page", "pageSize", "storeId"))


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of all parameters: one that is not published is refused."""


class OneOrder(Asked, frozen=True):
    """The parameters of "Get Order"."""

    orderKey: Key | None = None  # noqa: N815
    orderNumber: Key | None = None  # noqa: N815
    storeId: StoreNumber | None = None  # noqa: N815


class OrdersList(Asked, frozen=True):
    """The parameters of "Retrieve List of Orders"."""

    page: StoreNumber = 1
    pageSize: int = 100  # noqa: N815
    sortOrder: Literal["ASC", "DESC"] = "ASC"  # noqa: N815
    orderKeys: tuple[Key, ...] | None = None  # noqa: N815
    orderNumbers: tuple[Key, ...] | None = None  # noqa: N815
    orderStatus: Literal["unfulfilled", "fulfilled", "onHold", "cancelled"] | None = None  # noqa: N815
    orderType: OrderType | None = None  # noqa: N815
    updatedAtStart: str | None = None  # noqa: N815
    updatedAtEnd: str | None = None  # noqa: N815
    shippedAtStart: str | None = None  # noqa: N815
    shippedAtEnd: str | None = None  # noqa: N815


class WarehousesList(Asked, frozen=True):
    """The parameters of "Retrieve List of Warehouses"."""

    page: int = 1
    pageSize: int = 50  # noqa: N815
    sortBy: Literal["name", "id"] | None = None  # noqa: N815
    sortOrder: Literal["ASC", "DESC"] | None = None  # noqa: N815


class Listing(msgspec.Struct, frozen=True):
    """A page of orders that is asked for."""

    wanted: OrderListing
    page: int
    page_size: int
    newest_first: bool


STATES: Mapping[str, tuple[State, ...]] = {
    status: tuple(state for state, (_, above) in SHOWN.items() if above == status)
    for status in (UNFULFILLED, FULFILLED, ON_HOLD, CANCELLED)
}
"""The states that show each order status."""


def read_one(query: bytes) -> OneOrder:
    """Raises InvalidInput naming the parameter."""
    return _read(query, OneOrder)


def read_list(query: bytes) -> Listing:
    """Raises InvalidInput naming the parameter."""
    asked = _read(query, OrdersList)
    _check_range("pageSize", asked.pageSize, most=100)
    for name in ("orderKeys", "orderNumbers"):
        if len(getattr(asked, name) or ()) > MOST_NAMED:
            raise InvalidInput(field=name, expected=f"at most {MOST_NAMED} of them")
    return Listing(
        OrderListing(
            order_keys=asked.orderKeys,
            order_numbers=asked.orderNumbers,
            states=None if asked.orderStatus is None else STATES[asked.orderStatus],
            order_type=asked.orderType,
            updated_from=_moment("updatedAtStart", asked.updatedAtStart),
            updated_to=_moment("updatedAtEnd", asked.updatedAtEnd),
            shipped_from=_moment("shippedAtStart", asked.shippedAtStart),
            shipped_to=_moment("shippedAtEnd", asked.shippedAtEnd),
        ),
        page=asked.page,
        page_size=asked.pageSize,
        newest_first=asked.sortOrder == "DESC",
    )


def read_pages(query: bytes) -> WarehousesList:
    """Raises InvalidInput naming the parameter."""
    asked = _read(query, WarehousesList)
    _check_range("page", asked.page, most=1_000)
    _check_range("pageSize", asked.pageSize, most=1_000)
    return asked


def warehouses_page(found: Sequence[WarehouseRecord], asked: WarehousesList) -> dict[str, Any]:
    """The published answer with the enabled warehouses of this page."""
    enabled = [one for one in found if one.enabled]
    by_name = asked.sortBy == "name"
    enabled.sort(
        key=lambda one: (one.name, one.number) if by_name else ("", one.number),
        reverse=asked.sortOrder == "DESC",
    )
    first = (asked.page - 1) * asked.pageSize
    return {
        "paginator": {
            "total": len(enabled),
            "pages": math.ceil(len(enabled) / asked.pageSize),
            "page": asked.page,
        },
        "status": 200,
        "data": [_warehouse(one) for one in enabled[first : first + asked.pageSize]],
    }


def _warehouse(one: WarehouseRecord) -> dict[str, Any]:
    return {
        "id": one.number,
        "identifier": one.identifier,
        "name": one.name,
        "timezone": one.timezone,
        "warehouse_wms_type": one.wms_type,
        "enabled": one.enabled,
        "address": _address(one.address),
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "name": address.name,
        "company": address.company,
        "street1": address.street1,
        "street2": address.street2,
        "street3": None,
        "city": address.city,
        "state": address.state,
        "postal_code": address.zip,
        "phone": address.phone,
        "residential": bool(address.residential),
        "verified": False,
        "country": address.country_code,
    }


def _check_range(name: str, number: int, *, most: int) -> None:
    if not 1 <= number <= most:
        raise InvalidInput(field=name, expected=f"a number of 1 to {most}")


def _moment(name: str, text: str | None) -> datetime | None:
    return None if text is None else read_moment(name, text)


def _read(query: bytes, shape: type[T]) -> T:
    """The parameters as this struct; lists are written with brackets or repeated (ours)."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        expected = f"at most {MOST_PARAMETERS} parameters, percent-encoded in UTF-8"
        raise InvalidInput(field="", expected=expected) from None
    given: defaultdict[str, list[str]] = defaultdict(list)
    for written, value in pairs:
        listed = _LISTED.fullmatch(written)
        given[listed["name"] if listed else written].append(value)
    return read_under("", shape=shape, raw=msgspec.json.encode(_values(given)))


def _values(given: Mapping[str, list[str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, said in given.items():
        if any("\0" in one for one in said):
            raise InvalidInput(field=name, expected="text without NUL characters")
        if name in ("orderKeys", "orderNumbers"):
            values[name] = said
        elif len(said) > 1:
            raise InvalidInput(field=name, expected="one value, but there are several")
        elif said[0] == "" and name not in _WHOLE:
            values[name] = None
        elif name in _WHOLE and said[0].isdecimal() and len(said[0]) <= 15:
            values[name] = int(said[0])
        else:
            values[name] = said[0]
    return values
