"""A merchant's listing finds what a plain filter finds, page by page; warehouses are kept."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, Order, OrderContent
from milepost.ports import Changes, OrderRef
from milepost.ports.merchants import OrderListing, WarehouseRecord
from tests.store.desk import ACCOUNT, NOW, Desk, an_event, an_order, at

STATES = (State.CREATED, State.PICKING, State.ON_HOLD, State.DELIVERED, State.CANCELLED)
TYPES = (None, "direct_to_consumer", "retail", "work_order")


def some_orders(count: int) -> list[Order]:
    chance = random.Random(7)
    made = []
    for number in range(count):
        kind = chance.choice(TYPES)
        said = (
            {}
            if kind is None
            else {"shipmonk": msgspec.Raw(b'{"order_type":"%s"}' % kind.encode())}
        )
        shipped = chance.random() < 0.5
        made.append(
            an_order(
                f"K{number:02}",
                store=chance.choice(("shop", "other")),
                state=chance.choice(STATES),
                updated_at=at(chance.randint(0, 50)),
                shipped_at=at(chance.randint(0, 50)) if shipped else None,
                content=OrderContent(
                    order_number=chance.choice((None, f"N-{number:02}", "N-many")),
                    extensions=said,
                ),
            )
        )
    return made


def type_of(order: Order) -> str:
    raw = order.content.extensions.get("shipmonk")
    return "direct_to_consumer" if raw is None else msgspec.json.decode(raw)["order_type"]


def within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    if start is None and end is None:
        return True
    return moment is not None and (start or moment) <= moment <= (end or moment)


def shows(order: Order, wanted: OrderListing) -> bool:
    return (
        wanted.store in (None, order.store)
        and (wanted.order_keys is None or order.order_key in wanted.order_keys)
        and (wanted.order_numbers is None or order.number in wanted.order_numbers)
        and (wanted.states is None or order.state in wanted.states)
        and wanted.order_type in (None, type_of(order))
        and within(order.updated_at, wanted.updated_from, wanted.updated_to)
        and within(order.shipped_at, wanted.shipped_from, wanted.shipped_to)
    )


FILTERS: Sequence[dict[str, Any]] = (
    {},
    {"store": "other"},
    {"order_keys": ("K01", "K07", "nothing")},
    {"order_numbers": ("N-many", "K02", "N-05")},
    {"states": (State.PICKING, State.DELIVERED)},
    {"order_type": "retail"},
    {"order_type": "direct_to_consumer"},
    {"updated_from": at(10), "updated_to": at(30)},
    {"updated_to": at(5)},
    {"shipped_from": at(10)},
    {"shipped_from": at(0), "shipped_to": at(25)},
)


def place(desk: Desk) -> list[Order]:
    desk.run(desk.store.put_store(ACCOUNT, "other", name="other", number=None, now=NOW))
    made = some_orders(60)
    refs = [OrderRef(ACCOUNT, store=o.store, order_key=o.order_key) for o in made]
    desk.change(Changes(created=made, events=list(map(an_event, made))), refs=refs)
    return made


def listed(desk: Desk, wanted: OrderListing, *, newest_first: bool) -> list[str]:
    found: list[str] = []
    for page in itertools.count():
        shown = desk.run(
            desk.store.listed_orders(
                ACCOUNT, wanted=wanted, skip=page * 7, limit=7, newest_first=newest_first
            )
        )
        if not shown:
            return found
        found += [order.order_id for order in shown]
    raise AssertionError


def test_every_filter_and_every_two_of_them_find_what_they_should(desk: Desk) -> None:
    orders = place(desk)
    for one, other in itertools.combinations_with_replacement(FILTERS, 2):
        wanted = OrderListing(**{**one, **other})
        right = sorted(o.order_id for o in orders if shows(o, wanted))
        assert listed(desk, wanted, newest_first=False) == right, wanted
        if one is other:
            assert listed(desk, wanted, newest_first=True) == right[::-1], wanted


def test_an_order_comes_back_whole(desk: Desk) -> None:
    orders = place(desk)
    wanted = OrderListing(order_keys=(orders[3].order_key,))
    (found,) = desk.run(
        desk.store.listed_orders(ACCOUNT, wanted=wanted, skip=0, limit=9, newest_first=True)
    )
    assert found == orders[3]


def test_a_filtered_listing_ends_where_it_is_published_to(desk: Desk) -> None:
    place(desk)
    wanted = OrderListing(states=(State.CREATED,))
    read = desk.store.listed_orders(ACCOUNT, wanted=wanted, skip=10_000, limit=9, newest_first=True)
    assert list(desk.run(read)) == []


def a_warehouse(identifier: str, **given: Any) -> WarehouseRecord:
    return WarehouseRecord(
        **{
            "account_id": ACCOUNT,
            "identifier": identifier,
            "number": 0,
            "name": identifier,
            "timezone": "America/New_York",
            "created_at": NOW,
            "address": Address(city="Tampa", country_code="US"),
            **given,
        }
    )


def test_warehouses_are_numbered_kept_and_replaced(desk: Desk) -> None:
    first = desk.run(desk.store.put_warehouse(a_warehouse("FL1")))
    second = desk.run(desk.store.put_warehouse(a_warehouse("CA1", number=9)))
    assert (first.number, second.number) == (1, 9)
    changed = desk.run(desk.store.put_warehouse(a_warehouse("FL1", name="Tampa", enabled=False)))
    assert (changed.number, changed.name, changed.enabled) == (1, "Tampa", False)
    assert desk.run(desk.store.warehouses(ACCOUNT)) == [changed, second]
    assert list(desk.run(desk.store.warehouses("acc_two"))) == []
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.put_warehouse(a_warehouse("TX1", number=9)))


def test_an_account_is_known_by_its_name(desk: Desk) -> None:
    assert desk.run(desk.store.account_name(ACCOUNT)) == "One"
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.account_name("acc_none"))
