"""Orders and updates made short, for tests that are about what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from milepost.orders.events import Move, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent, Parcel
from milepost.orders.move import move

DAWN = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
ARRIVAL = DAWN + timedelta(days=30)
"""When updates arrive, unless a test says otherwise: long after all that they tell."""


def minute(number: float) -> datetime:
    """So many minutes after the order was created."""
    return DAWN + timedelta(minutes=number)


def new_order(state: State = State.CREATED, **facts: Any) -> Order:
    """An order of which nothing but itself is known."""
    told: dict[str, Any] = {
        "account_id": "acc_1",
        "order_id": "ord_1",
        "store": "shop",
        "order_key": "K-1",
        "state": state,
        "state_at": DAWN,
        "sequence": 1,
        "created_at": DAWN,
        "updated_at": DAWN,
        "content": OrderContent(),
    }
    return Order(**{**told, **facts})


def says(state: State | None = None, at: float | None = None, **facts: Any) -> Update:
    """An update of the warehouse; `at` is in minutes, None means on arrival."""
    told: dict[str, Any] = {
        "source": "warehouse",
        "state": state,
        "occurred_at": None if at is None else minute(at),
    }
    return Update(**{**told, **facts})


def corrects(state: State, at: float | None = None, **facts: Any) -> Update:
    """An update that may take a correction."""
    return says(state, at, **{"correction": True, "trusted": True, "note": "as seen", **facts})


def hear(order: Order, update: Update, *, now: datetime = ARRIVAL) -> Move:
    """What becomes of an update that arrives at `now`."""
    return move(order, update, now=now)


def after(order: Order, *updates: Update) -> Order:
    """The order after updates that all have to be applied."""
    for update in updates:
        told = hear(order, update)
        assert told.verdict is Verdict.APPLIED, (order.state, update, told.why)
        order = told.order
    return order


def shipped(*parcels: str, at: float = 10, **facts: Any) -> Order:
    """An order whose parcels of these names have left the warehouse."""
    order = new_order(**facts)
    for name in parcels or ("1",):
        order = after(order, says(State.PACKED, 5, parcel=name))
    return after(order, says(State.SHIPPED, at))


def parcel_of(order: Order, name: str = "1") -> Parcel:
    """The parcel of that name; there has to be one."""
    (found,) = (p for p in order.parcels if p.parcel == name)
    return found


def states_of(order: Order) -> dict[str, str | None]:
    """The states of an order's parcels by name."""
    return {p.parcel: p.state for p in order.parcels}
