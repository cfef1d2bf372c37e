"""Decisions as the tests make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import Changes, OrderRef, Snapshot
from tests.store.desk import ACCOUNT, a_delivery, an_event, moved


def key_of(order: Order) -> OrderRef:
    return OrderRef(order.account_id, store=order.store, order_key=order.order_key)


class Once:
    """Lets something happen the first time that a decision is made, and counts the decisions."""

    def __init__(self, happens: Callable[[], Any], decide: Callable[[Snapshot], Changes]) -> None:
        self._happens = happens
        self._decide = decide
        self.seen: list[Snapshot] = []

    def __call__(self, snapshot: Snapshot) -> Changes:
        self.seen.append(snapshot)
        if len(self.seen) == 1:
            self._happens()
        return self._decide(snapshot)


def next_event(snapshot: Snapshot, *, lease: bool = False) -> Changes:
    """Every order that is there goes on by one event, told to every endpoint."""
    orders = [moved(order, State.PICKING) for order in snapshot.orders if order is not None]
    return Changes(
        changed=orders,
        events=[an_event(order) for order in orders],
        deliveries=[
            a_delivery(endpoint, order, lease=lease)
            for order in orders
            for endpoint in snapshot.endpoints[ACCOUNT]
        ],
    )
