"""The routes for what an operator does to an order for the warehouse: actions, and splitting it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import AlreadyExists, IllegalMove, InvalidInput, UnknownRecord
from milepost.insights import OrderView, order_view
from milepost.orders.model import Order
from milepost.ports import OrderRef
from milepost.provider import SplitInput


class SplitOrder(msgspec.Struct, frozen=True):
    """The order as it is left by a split, and its parts."""

    order: OrderView
    parts: Sequence[OrderView]


async def require_actions(call: Call[Nothing, dict[str, bool]]) -> Answer:
    changed = await call.hub.provider.fulfillment.require(await _order(call), call.body)
    return Answer(order_view(changed, rooms=call.hub.rooms))


async def split_order(call: Call[Nothing, SplitInput]) -> Answer:
    call.charge(len(call.body.parts) + 1)
    left, *parts = await call.hub.provider.fulfillment.split(await _order(call), call.body)
    rooms = call.hub.rooms
    shown = [order_view(part, rooms=rooms) for part in parts]
    return Answer(SplitOrder(order_view(left, rooms=rooms), shown), Status.CREATED)


async def _order(call: Call[Any, Any]) -> Order:
    return await call.hub.store.order(OrderRef(call.account_id, order_id=call.path["order_id"]))


ROUTES = (
    Route(
        method="POST",
        path="/v1/orders/{order_id}/actions",
        act=require_actions,
        name="requireActions",
        summary="Say what has to be settled before the order can go on, and what no longer has.",
        tag="orders",
        query=Nothing,
        body=dict[str, bool],
        answers={Status.OK: OrderView},
        problems=(InvalidInput, UnknownRecord, IllegalMove),
    ),
    Route(
        method="POST",
        path="/v1/orders/{order_id}/split",
        act=split_order,
        name="splitOrder",
        summary="Take parts out of an order; each is an order with a life of its own.",
        tag="orders",
        query=Nothing,
        body=SplitInput,
        answers={Status.CREATED: SplitOrder},
        problems=(InvalidInput, UnknownRecord, AlreadyExists, IllegalMove),
    ),
)
