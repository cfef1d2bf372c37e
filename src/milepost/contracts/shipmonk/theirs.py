"""What ShipMonk's order interface answers, read: one order, or a page of its list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from milepost.contracts.comparison import (
    LONGEST_URL,
    MOST_PACKAGES,
    Package,
    Theirs,
    decoded,
    items,
    member,
    text,
)
from milepost.contracts.shipmonk.statuses import ADDRESS_ACTION
from milepost.orders.model import EARLIEST_YEAR, LATEST_YEAR, Url

PAGE_SIZE = 100
"""Orders of a page of the list, at most (published)."""

MOST_NAMED = 50
"""Order keys that one page of the list is asked for; ours, so that no address becomes too long."""

MOST_LISTED = 10_000
"""How many orders a list with filters reaches (published)."""


class ReadAccess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a source's orders are asked for at ShipMonk.

    Without a `store_id` all stores of the key are meant. `every_h` is how often all open orders
    are compared, 0 for only on demand; of those that nothing was heard of for `quiet_h`.
    `timeout_s` is for one request.
    """

    api_key: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    base_url: Url = "https://api.shipmonk.com"
    store_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    every_h: Annotated[float, msgspec.Meta(ge=0, le=24 * 366)] = 24
    quiet_h: Annotated[float, msgspec.Meta(ge=0, le=24 * 366)] = 2
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=120)] = 30

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError("base_url: expected an https or http URL")
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("api_key: expected text that a header can hold")

    def __repr__(self) -> str:
        return f"ReadAccess({self.base_url})"


def order_of(raw: bytes) -> Theirs | None:
    """The order in the answer of one; None where it holds none. Raises InvalidInput."""
    return _order(member(decoded(raw), "data"))


def page_of(raw: bytes) -> tuple[list[Theirs], int]:
    """The orders on a page of the list, and how many it has, readable or not.

    Raises InvalidInput.
    """
    data = member(decoded(raw), "data")
    listed = items(data if isinstance(data, list) else member(data, "orders"))
    return [found for order in listed if (found := _order(order)) is not None], len(listed)


def _order(order: object) -> Theirs | None:
    key = text(member(order, "order_key"))
    if key is None:
        return None
    store = member(order, "store")
    ids = (text(member(store, "id")), text(member(store, "name")))
    return Theirs(
        key,
        _words(order),
        tuple(_packages(order)),
        tuple(one for one in ids if one is not None),
        _moment(member(order, "updated_at")),
    )


def _words(order: object) -> Mapping[str, str | None]:
    words = {
        "processing_status": text(member(order, "processing_status")),
        "order_status": text(member(order, "order_status")),
    }
    if member(member(order, "actions_required"), "address") is True:
        words["actions_required"] = ADDRESS_ACTION
    return words


def _packages(order: object) -> Iterator[Package]:
    shipment = member(order, "shipment_data")
    common = {
        "carrier": text(member(shipment, "carrier")),
        "carrier_service": text(member(shipment, "service")),
    }
    for package in items(member(order, "packages"))[:MOST_PACKAGES]:
        yield Package(
            tracking_number=text(member(package, "tracking_number")),
            tracking_url=text(member(package, "tracking_url"), most=LONGEST_URL),
            **common,
        )


def _moment(value: object) -> datetime | None:
    """A time as ISO 8601 with an offset, or as the object that some stores are answered (seen)."""
    said = text(member(value, "date")) if isinstance(value, dict) else text(value)
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(said)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if EARLIEST_YEAR <= at.year < LATEST_YEAR else None
