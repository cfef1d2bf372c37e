"""How a merchant's listing is read: through which index, and what is asked for besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from milepost.orders.lifecycle import State
from milepost.ports.merchants import MOST_FILTERED, OrderListing
from milepost.store.rows import USUAL_ORDER_TYPE, micros_or_none

DRIVERS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("listed_by_key", ("order_keys",)),
    ("listed_by_number", ("order_numbers",)),
    ("listed_by_shipping", ("shipped_from", "shipped_to")),
    ("listed_by_update", ("updated_from", "updated_to")),
    ("listed_by_type", ("order_type",)),
)
"""The statements that walk through an index of their own, the one that leaves least first."""

MOST = 1_000_000
"""How many orders a listing without a filter reaches (published)."""


class Plan(NamedTuple):
    """A statement and its parameters; without a name it is a store's orders, of some states."""

    name: str | None
    values: dict[str, Any]
    states: tuple[State, ...]


def plan(wanted: OrderListing, *, skip: int, limit: int, newest_first: bool) -> Plan | None:
    """How to read this page; None for one that shows nothing, such as one beyond the reach."""
    filtered = wanted != OrderListing()
    reach = MOST_FILTERED if filtered else MOST
    if skip >= reach or wanted.states == ():
        return None
    usual = wanted.order_type == USUAL_ORDER_TYPE.decode()
    asked: dict[str, Any] = {
        "store": wanted.store,
        "order_keys": wanted.order_keys,
        "order_numbers": wanted.order_numbers,
        "order_type": None if usual else wanted.order_type,
        "updated_from": micros_or_none(wanted.updated_from),
        "updated_to": micros_or_none(wanted.updated_to),
        "shipped_from": micros_or_none(wanted.shipped_from),
        "shipped_to": micros_or_none(wanted.shipped_to),
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if usual:
        given["usual_type"] = True
    order = "newest_first" if newest_first else "oldest_first"
    page = {order: True, "limit": min(limit, reach - skip), "skip": skip, "most": reach}
    for name, fields in DRIVERS:
        if any(field in given for field in fields):
            return Plan(name, {**given, **page}, wanted.states or ())
    if wanted.states is not None or wanted.store is not None:
        return Plan(None, {**given, **page}, wanted.states or ())
    return Plan("listed", {**given, **page}, ())
